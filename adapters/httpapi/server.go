// Package httpapi is the HTTP server: health, metrics, and events that come in.
//
//	GET  /livez     200 while the process runs
//	GET  /readyz    200 when every dependency answers, else 503; JSON, one entry a dependency
//	GET  /metrics   Prometheus
//	POST /v1/NAME   takes events of the pipeline NAME; see Accept
//
// # Sending events
//
// The body is one JSON object or an array of objects (application/json), or one object a line (application/x-ndjson). The
// token of Config.Token goes into the header, Authorization: Bearer TOKEN. Query: unchecked=true publishes wrong events too.
// Events that do not name themselves are new ones each time they are sent, except under one Idempotency-Key: with it, a
// request whose answer was lost may be sent again.
//
//	202   {"accepted":2,"ids":["…","…"]}: all are in the broker; the ids are the UUIDs of their messages, in the order of the body
//	400   the body is cut off, is not JSON, or holds no event
//	401   no token or a wrong one
//	403   no token is configured
//	413   the body is larger than Config.MaxBody, or has more than Config.MaxEvents events
//	415   another Content-Type
//	422   events are wrong; "errors" names index, line and problem of the first 100
//	429   the broker is full, or Config.MaxIngest requests are being worked on; Retry-After
//	503   the broker is away; Retry-After
//
// All but 202 are application/problem+json (RFC 9457). At 400, 401, 403, 413, 415 and 422 nothing was published.
package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const checkTimeout = 2 * time.Second

// Check asks one dependency whether it answers.
type Check struct {
	Name string
	Ask  func(context.Context) error
}

// Server serves health, metrics and what Accept adds. It holds no state of its own.
type Server struct {
	config   Config
	server   *http.Server
	mux      *http.ServeMux
	slots    chan struct{} // taken by requests that send events
	listener net.Listener
	serving  sync.WaitGroup
	logger   *slog.Logger
}

// Listen opens the address, so that a port that is taken is reported at once, and returns a server that is not serving
// yet.
func Listen(config Config, metrics prometheus.Gatherer, checks []Check, logger *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", config.Addr)
	if err != nil {
		return nil, fmt.Errorf("http.addr: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", ready(checks))
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second}))
	return &Server{
		config: config, listener: listener, logger: logger, mux: mux, slots: make(chan struct{}, max(1, config.MaxIngest)),
		server: &http.Server{
			Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
			WriteTimeout: 15 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
			ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
	}, nil
}

// Addr is the address that the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve starts to answer requests.
func (s *Server) Serve() {
	s.serving.Go(func() {
		if err := s.server.Serve(s.listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("http server ended", "error", err)
		}
	})
}

// Close gives the requests under way a second, ends those that are not done, and waits for the server: whoever asks
// for health or metrics does not hold up a shutdown.
func (s *Server) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close()
	}
	s.serving.Wait()
	return err
}

func ready(checks []Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
		defer cancel()
		answers := make([]string, len(checks))
		var asking sync.WaitGroup
		for n, check := range checks {
			asking.Go(func() {
				answers[n] = "ok"
				if err := check.Ask(ctx); err != nil {
					answers[n] = err.Error()
				}
			})
		}
		asking.Wait()
		body, status := map[string]string{}, http.StatusOK
		for n, check := range checks {
			body[check.Name] = answers[n]
			if answers[n] != "ok" {
				status = http.StatusServiceUnavailable
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
}
