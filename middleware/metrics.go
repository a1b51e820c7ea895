package middleware

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leat/handlers/fault"
)

// Metrics are the Prometheus metrics of everything that handles messages. The label pipeline is the name of a configured
// pipeline; all other labels have fixed sets of values.
type Metrics struct {
	messages     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	inFlight     *prometheus.GaugeVec
	deadLetters  *prometheus.CounterVec
	retries      *prometheus.CounterVec
	breakerOpen  *prometheus.GaugeVec
	batchSize    *prometheus.HistogramVec
	stageSeconds *prometheus.HistogramVec
	stageErrors  *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	latency := prometheus.ExponentialBuckets(100e-6, 2.5, 15) // 100 µs to 37 s
	m := &Metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leat_messages_total",
			Help: "Messages by outcome: ack (dead letters among them), nack, canceled."}, []string{"pipeline", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "leat_message_duration_seconds",
			Help: "Time from the delivery of a message to its outcome.", Buckets: latency}, []string{"pipeline"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "leat_messages_in_flight",
			Help: "Messages delivered and without an outcome."}, []string{"pipeline"}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leat_dead_letters_total",
			Help: "Messages published to the DLQ by kind of error and stage."}, []string{"pipeline", "kind", "stage"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leat_retries_total",
			Help: "Attempts after the first one, by kind of the error before."}, []string{"pipeline", "kind"}),
		breakerOpen: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "leat_breaker_open",
			Help: "1 while a dependency is unavailable and reading pauses."}, []string{"pipeline"}),
		batchSize: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "leat_batch_size_messages",
			Help: "Messages a batch.", Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}}, []string{"pipeline"}),
		stageSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "leat_stage_duration_seconds",
			Help: "Time that a stage took for a batch.", Buckets: latency}, []string{"pipeline", "stage"}),
		stageErrors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leat_stage_errors_total",
			Help: "Batches that a stage failed as a whole, by kind of error."}, []string{"pipeline", "stage", "kind"}),
	}
	registry.MustRegister(m.messages, m.duration, m.inFlight, m.deadLetters, m.retries, m.breakerOpen, m.batchSize, m.stageSeconds, m.stageErrors)
	return m
}

// Pipeline returns the metrics of one pipeline.
func (m *Metrics) Pipeline(name string) *PipelineMetrics {
	labels := prometheus.Labels{"pipeline": name}
	p := &PipelineMetrics{
		messages:     m.messages.MustCurryWith(labels),
		duration:     m.duration.With(labels),
		inFlight:     m.inFlight.With(labels),
		deadLetters:  m.deadLetters.MustCurryWith(labels),
		retries:      m.retries.MustCurryWith(labels),
		breakerOpen:  m.breakerOpen.With(labels),
		batchSize:    m.batchSize.With(labels),
		stageSeconds: m.stageSeconds.MustCurryWith(labels),
		stageErrors:  m.stageErrors.MustCurryWith(labels),
	}
	p.acked = p.messages.WithLabelValues(outcomeAck)
	return p
}

// PipelineMetrics are the metrics of one pipeline.
type PipelineMetrics struct {
	messages     *prometheus.CounterVec
	acked        prometheus.Counter
	duration     prometheus.Observer
	inFlight     prometheus.Gauge
	deadLetters  *prometheus.CounterVec
	retries      *prometheus.CounterVec
	breakerOpen  prometheus.Gauge
	batchSize    prometheus.Observer
	stageSeconds prometheus.ObserverVec
	stageErrors  *prometheus.CounterVec
}

// Retried counts an attempt after the first one.
func (p *PipelineMetrics) Retried(kind fault.Kind) { p.retries.WithLabelValues(kind.String()).Inc() }

// BreakerOpen notes whether the breaker is open.
func (p *PipelineMetrics) BreakerOpen(open bool) {
	p.breakerOpen.Set(0)
	if open {
		p.breakerOpen.Set(1)
	}
}

// StageDone notes a run of a stage.
func (p *PipelineMetrics) StageDone(stage string, took time.Duration, err error) {
	p.stageSeconds.WithLabelValues(stage).Observe(took.Seconds())
	if err != nil {
		p.stageErrors.WithLabelValues(stage, fault.KindOf(err).String()).Inc()
	}
}

// BatchDone notes the size of a batch.
func (p *PipelineMetrics) BatchDone(items int) { p.batchSize.Observe(float64(items)) }
