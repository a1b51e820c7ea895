package middleware

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler ends each call with the next of the errors, and with the last one from then on.
type handler struct {
	mu    sync.Mutex
	errs  []error
	calls int
}

func handlerOf(errs ...error) *handler { return &handler{errs: errs} }

func (h *handler) handle(*message.Message) ([]*message.Message, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := min(h.calls, len(h.errs)-1)
	h.calls++
	if n < 0 {
		return nil, nil
	}
	return nil, h.errs[n]
}

func (h *handler) called() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls
}

// messageWith returns a message with a context.
func messageWith(ctx context.Context) *message.Message {
	msg := message.NewMessage("uuid-1", []byte("payload"))
	msg.SetContext(ctx)
	return msg
}

// logs are the lines that were logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logs) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.buf.String(), "\n"), "\n")[:strings.Count(l.buf.String(), "\n")]
}

func (l *logs) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func testMetrics() (*prometheus.Registry, *PipelineMetrics) {
	registry := prometheus.NewRegistry()
	return registry, NewMetrics(registry).Pipeline("activity")
}
