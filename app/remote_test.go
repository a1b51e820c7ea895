package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"leat/adapters/httpapi"
	"leat/handlers/fault"
)

const httpToken = "correct-horse-battery"

// serveDoor starts a server that takes events as a running leat does.
func serveDoor(t *testing.T, config httpapi.Config, door *ingest) string {
	t.Helper()
	config.Addr, config.MaxBody, config.MaxEvents, config.MaxIngest = "127.0.0.1:0", 32<<20, 10000, 4
	server, err := httpapi.Listen(config, prometheus.NewRegistry(), nil, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	server.Accept("activity", door.take)
	server.Serve()
	t.Cleanup(func() { require.NoError(t, server.Close(context.WithoutCancel(t.Context()))) })
	return "http://" + server.Addr()
}

func sending(t *testing.T, base string) *remote {
	t.Helper()
	r, err := newRemote(base, httpToken)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func outgoingLines(lines ...string) (out []outgoing) {
	for _, line := range lines {
		out = append(out, outgoing{payload: []byte(line)})
	}
	return out
}

// Lines that go through HTTP arrive as they are, in their order, however many bytes they are together.
func TestRemotePublishes(t *testing.T) {
	backend, published := channel(t, 1000)
	door := doorOf(t, backend.Publisher(), 4<<20)
	send := sending(t, serveDoor(t, httpapi.Config{Token: httpToken}, door)+"/").send(t.Context(), "activity")
	var lines []string
	for n := range 12 {
		lines = append(lines, fmt.Sprintf(`{"userId":"u%d","app":"Code","duration":1,"title":"%s"}`, n, strings.Repeat("x", 1<<20)))
	}
	require.NoError(t, send(outgoingLines(lines...)))
	wrong := outgoingLines(goodLine, "oops")
	wrong[1].wrong = true
	require.NoError(t, send(wrong), "what was found wrong here is sent unchecked")
	require.NoError(t, send(nil))
	messages := published()
	require.Len(t, messages, 14)
	for n, want := range append(lines, goodLine, "oops") {
		require.Equal(t, want, string(messages[n].Payload))
	}
	err := send(outgoingLines("oops"))
	require.ErrorContains(t, err, "422 Unprocessable Entity")
	require.ErrorContains(t, err, "line 1 of the request: the payload is not JSON")
}

// A request is repeated, with one key, while leat is busy or its answers are lost.
func TestRemoteRepeats(t *testing.T) {
	var keys, bodies []string
	answers := []func(w http.ResponseWriter){
		func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		},
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted); _, _ = io.WriteString(w, `{"acc`) },
		func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"accepted":2,"ids":["a","b"]}`)
		},
	}
	var at []time.Time
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		keys, bodies, at = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, string(body)), append(at, time.Now())
		answers[len(keys)-1](w)
	}))
	t.Cleanup(server.Close)
	require.NoError(t, sending(t, server.URL).send(t.Context(), "activity")(outgoingLines("1", "2")))
	require.Len(t, keys, 5)
	require.NotEmpty(t, keys[0])
	for n := range keys {
		require.Equal(t, keys[0], keys[n])
		require.Equal(t, "1\n2\n", bodies[n])
	}
	require.GreaterOrEqual(t, at[1].Sub(at[0]), time.Second, "Retry-After")
	require.Less(t, at[2].Sub(at[1]), time.Second)
}

// It gives up after a while, or when the command is interrupted.
func TestRemoteGivesUp(t *testing.T) {
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		w.Header().Set("Retry-After", strconv.Itoa(int(time.Hour.Seconds())))
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"detail":"the broker is away"}`)
	}))
	t.Cleanup(server.Close)
	r := sending(t, server.URL)
	r.patience = 50 * time.Millisecond
	err := r.send(t.Context(), "activity")(outgoingLines("1"))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.EqualError(t, err, "leat at "+server.URL+" cannot take the lines now: 503 Service Unavailable: the broker is away")
	require.Len(t, asked, 1, "an hour is more than its patience")
	<-asked

	r.patience = 2 * time.Hour
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	go func() { <-asked; interrupt() }()
	require.Error(t, r.send(ctx, "activity")(outgoingLines("1")))
	require.Empty(t, asked)
}

// What a person must mend is told at once, with what to do, and without the token.
func TestRemoteSaysWhatToDo(t *testing.T) {
	backend, _ := channel(t, 10)
	door := doorTo(t, backend.Publisher())
	other := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	t.Cleanup(other.Close)
	for name, test := range map[string]struct {
		base string
		says string
	}{
		"nobody listens": {"http://" + unusedAddr(t), "is leat run running at http://127.0.0.1:"},
		"another token":  {serveDoor(t, httpapi.Config{Token: "another-token-than-ours"}, door), "set http.token (LEAT_HTTP_TOKEN) to the one it was started with"},
		"no token there": {serveDoor(t, httpapi.Config{}, door), "takes no events: 403 Forbidden: the endpoint is closed because no token is set: set http.token"},
		"another path":   {serveDoor(t, httpapi.Config{Token: httpToken}, door) + "/elsewhere", "takes no events of pipeline activity"},
		"a redirect":     {other.URL, "302 Found"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			err := sending(t, test.base).send(t.Context(), "activity")(outgoingLines(goodLine))
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), httpToken)
			require.Less(t, time.Since(began), 5*time.Second, "it is not repeated")
		})
	}
}

func TestRemoteRefusesWrongAddresses(t *testing.T) {
	for base, says := range map[string]string{
		"127.0.0.1:8080": "--url must be the address", "ftp://host": "--url must be the address", "http://": "--url must be the address",
		"http://host?token=geheim": "--url must be the address", "http://user:geheim@host": "must not contain credentials",
	} {
		_, err := newRemote(base, httpToken)
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "geheim")
		require.ErrorIs(t, err, errUsage)
	}
	_, err := newRemote("http://127.0.0.1:8080", "")
	require.ErrorContains(t, err, "http.token is not set (LEAT_HTTP_TOKEN")
}

func TestLocalURL(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080", ":8080": "http://127.0.0.1:8080", "0.0.0.0:1": "http://127.0.0.1:1",
		"[::]:1": "http://127.0.0.1:1", "[::1]:1": "http://[::1]:1", "leat.example:80": "http://leat.example:80",
	} {
		got, err := localURL(addr)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := localURL("8080")
	require.ErrorContains(t, err, "http.addr")
}
