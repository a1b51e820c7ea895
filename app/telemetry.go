package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/fx"

	"leat/adapters/pubsub"
	"leat/config"
	"leat/middleware"
)

// telemetry is the metrics registry and what counts into it. The logger comes from the command.
var telemetry = fx.Module("telemetry",
	fx.Provide(newRegistry, newEntryMetrics, func(registry *prometheus.Registry) *middleware.Metrics {
		return middleware.NewMetrics(registry)
	}),
)

func newLogger(cfg config.Log, out io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level)) // the configuration allows nothing else
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "leat_build_info", Help: "1, with the version as a label.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()}})
	build.Set(1)
	registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// entryMetrics count what happens to entries in the broker.
type entryMetrics struct {
	events  *prometheus.CounterVec
	waiting *prometheus.GaugeVec
	pending *prometheus.GaugeVec
}

func newEntryMetrics(registry *prometheus.Registry) *entryMetrics {
	m := &entryMetrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leat_broker_entries_total",
			Help: "Messages by what happened to them: read, acked, nacked, claimed, trimmed, malformed, suspect, exhausted, lost, returned."},
			[]string{"pipeline", "event"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "leat_broker_waiting_messages",
			Help: "Messages of the topic that the group has not been given yet (lag)."}, []string{"pipeline"}),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "leat_broker_pending_messages",
			Help: "Messages that the group was given and has not acked."}, []string{"pipeline"}),
	}
	registry.MustRegister(m.events, m.waiting, m.pending)
	return m
}

// observer hands what a batch engine did on to the metrics and the breaker, and counts messages for the live line.
type observer struct {
	metrics *middleware.PipelineMetrics
	breaker *middleware.Breaker
	handled atomic.Int64
}

// StageDone implements batch.Observer.
func (o *observer) StageDone(stage string, _ int, took time.Duration, err error) {
	o.metrics.StageDone(stage, took, err)
}

// BatchDone implements batch.Observer.
func (o *observer) BatchDone(items int, _ time.Duration, err error) {
	o.metrics.BatchDone(items)
	o.breaker.Record(err)
	if err == nil {
		o.handled.Add(int64(items))
	}
}

// lagWatch reads a pipeline's lag once a second, for the gauges and the live line.
type lagWatch struct {
	reader  pubsub.LagReader
	topic   string
	waiting prometheus.Gauge
	pending prometheus.Gauge
	last    atomic.Pointer[pubsub.Lag]
}

func (w *lagWatch) run(ctx context.Context) {
	if w.reader == nil { // gauges of what nobody knows would say 0
		w.waiting.Set(math.NaN())
		w.pending.Set(math.NaN())
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if lag, err := w.reader.Lag(ctx, w.topic); err == nil {
			waiting := float64(lag.Waiting)
			if lag.Waiting < 0 {
				waiting = math.NaN()
			}
			w.waiting.Set(waiting)
			w.pending.Set(float64(lag.Pending))
			w.last.Store(&lag)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// routerLog gives Watermill's router the program's logger. Debug and trace lines cost nothing where nobody reads them,
// and two errors are dropped that others tell better: the middleware and the subscriber, and not once a message.
type routerLog struct{ logger *slog.Logger }

func (l routerLog) Error(msg string, err error, fields watermill.LogFields) {
	if msg != "Handler returned error" && msg != "Failed to close subscriber" {
		l.logger.Error(msg, append(attrs(fields), "error", err)...)
	}
}

func (l routerLog) Info(msg string, fields watermill.LogFields) { l.Debug(msg, fields) }

func (l routerLog) Debug(msg string, fields watermill.LogFields) {
	if l.logger.Enabled(context.Background(), slog.LevelDebug) {
		l.logger.Debug(msg, attrs(fields)...)
	}
}

func (routerLog) Trace(string, watermill.LogFields) {}

func (l routerLog) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return routerLog{l.logger.With(attrs(fields)...)}
}

func attrs(fields watermill.LogFields) []any {
	pairs := make([]any, 0, 2*len(fields)+2)
	for key, value := range fields {
		pairs = append(pairs, key, value)
	}
	return pairs
}

// redisLog sends what go-redis says of its connections to the program's log, at debug level: whoever runs a command gets
// the error as well.
type redisLog struct{ logger *slog.Logger }

// Printf implements the logger of go-redis.
func (l redisLog) Printf(_ context.Context, format string, args ...any) {
	l.logger.Debug(fmt.Sprintf(format, args...))
}
