package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServer(t *testing.T) {
	answers := func(err error) func(context.Context) error {
		return func(context.Context) error { return err }
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "leat_test", Help: "A gauge."}))

	for name, test := range map[string]struct {
		checks []Check
		path   string
		status int
		body   string
	}{
		"alive whatever the dependencies say": {
			checks: []Check{{"redis", answers(errors.New("refused"))}}, path: "/livez", status: 200, body: "ok",
		},
		"ready when all answer": {
			checks: []Check{{"redis", answers(nil)}, {"store", answers(nil)}}, path: "/readyz", status: 200,
			body: `{"redis":"ok","store":"ok"}`,
		},
		"not ready, and why, when one does not": {
			checks: []Check{{"redis", answers(nil)}, {"store", answers(errors.New("connection refused"))}}, path: "/readyz", status: 503,
			body: `{"redis":"ok","store":"connection refused"}`,
		},
		"metrics":      {path: "/metrics", status: 200, body: "leat_test 0"},
		"unknown path": {path: "/", status: 404, body: "not found"},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := Listen(Config{Addr: "127.0.0.1:0"}, registry, test.checks, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			server.Serve()
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+server.Addr()+test.path, nil)
			require.NoError(t, err)
			response, err := client.Do(request)
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, test.status, response.StatusCode)
			require.Contains(t, string(body), test.body)
			require.NoError(t, server.Close(t.Context()))
		})
	}
}

func TestATakenPortIsReportedAtOnce(t *testing.T) {
	first, err := Listen(Config{Addr: "127.0.0.1:0"}, prometheus.NewRegistry(), nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	first.Serve()
	_, err = Listen(Config{Addr: first.Addr()}, prometheus.NewRegistry(), nil, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "http.addr")
	require.NoError(t, first.Close(t.Context()))
}
