package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/fx"

	"leat/adapters/pubsub"
	"leat/adapters/redis"
	"leat/config"
	"leat/handlers/activity"
	"leat/handlers/batch"
	"leat/handlers/delivery"
	"leat/middleware"
)

// pipelines are what the router runs.
var pipelines = fx.Module("pipelines", fx.Provide(newPipelines, redis.NewBoards))

// newPipelines makes the pipelines that are enabled: one line each.
func newPipelines(m maker, cfg *config.Config) ([]*pipeline, error) {
	return makeEnabled(
		enabled{cfg.Pipelines.Activity.Enabled, m.activity},
	)
}

// pipeline is a handler with everything around it.
type pipeline struct {
	name     string
	config   config.Pipeline
	broker   pubsub.Broker
	breaker  *middleware.Breaker
	metrics  *middleware.PipelineMetrics
	observer *observer
	lag      *lagWatch

	handle  message.NoPublishHandlerFunc
	prepare func(context.Context) error        // before the first message
	start   func()                             // of the engine
	close   func(context.Context) error        // of the engine
	leave   func(context.Context)              // when everything has ended
	workers []func(context.Context)            // run beside the handler until the program stops
	reload  func()                             // what SIGHUP asks for
	recount func(context.Context) (int, error) // boards from records, for a Redis that keeps nothing
}

// outlived is where the broker stands in each source whose messages are still there, at the positions they had, when Redis has
// lost everything.
func (p *pipeline) outlived(ctx context.Context, broker config.Broker) (map[string]delivery.Position, error) {
	can := p.broker.Capabilities
	if !can.Durable || !can.Positions || p.config.BrokerKind(broker) == config.RedisStream {
		return nil, nil
	}
	return p.broker.Floors.Floors(ctx, p.config.Topic)
}

type enabled struct {
	is   bool
	make func() (*pipeline, error)
}

func makeEnabled(all ...enabled) ([]*pipeline, error) {
	var made []*pipeline
	for _, one := range all {
		if !one.is {
			continue
		}
		p, err := one.make()
		if err != nil {
			return nil, err
		}
		made = append(made, p)
	}
	return made, nil
}

// maker holds what pipelines are made of.
type maker struct {
	fx.In

	Config  *config.Config
	Brokers *brokers
	Store   store
	Boards  *redis.Boards
	Metrics *middleware.Metrics
	Entries *entryMetrics
	Drain   *drain
	Redis   goredis.UniversalClient
	Logger  *slog.Logger
}

// frame makes what every pipeline has.
func (m maker) frame(name string, cfg config.Pipeline) (*pipeline, error) {
	p := &pipeline{name: name, config: cfg, metrics: m.Metrics.Pipeline(name)}
	logger := m.Logger.With("pipeline", name)
	kind := cfg.BrokerKind(m.Config.Broker)
	backend, err := m.Brokers.of(kind)
	if err != nil {
		return nil, err
	}
	for key, topic := range map[string]string{"topic": cfg.Topic, "dlq": cfg.DLQTopic()} {
		if err := backend.CheckTopic(topic); err != nil {
			return nil, fmt.Errorf("pipelines.%s.%s: %w", name, key, err)
		}
	}
	can := backend.Capabilities()
	warnings, err := fits(kind, can, cfg, m.Config)
	if err != nil {
		return nil, fmt.Errorf("pipeline %s: %w", name, err)
	}
	for _, warning := range warnings {
		logger.Warn(warning)
	}
	p.breaker = middleware.NewBreaker(cfg.Breaker, can.MaxHold, m.Drain.begun, logger, p.metrics.BreakerOpen)
	p.observer = &observer{metrics: p.metrics, breaker: p.breaker}
	if p.broker, err = backend.Broker(m.options(p, kind, logger)); err != nil {
		return nil, err
	}
	p.lag = &lagWatch{
		reader: p.broker.Lag, topic: cfg.Topic,
		waiting: m.Entries.waiting.WithLabelValues(name), pending: m.Entries.pending.WithLabelValues(name),
	}
	p.workers = append(p.workers, p.lag.run)
	return p, nil
}

// options is what the broker of a pipeline is opened with.
func (m maker) options(p *pipeline, kind string, logger *slog.Logger) pubsub.Options {
	events := m.Entries.events.MustCurryWith(prometheus.Labels{"pipeline": p.name})
	options := pubsub.Options{
		Namespace: namespace(m.Config.Broker, kind), Group: p.config.Group, DedupWindow: m.Config.Broker.DedupWindow,
		Gate: p.breaker, Logger: logger, CloseTimeout: shareOut(m.Config.Shutdown.Timeout).drain,
		Observe: func(_ string, event pubsub.Event, n int) {
			events.WithLabelValues(event.String()).Add(float64(n))
		},
	}
	if kind != config.RedisStream { // which keeps its own beside the stream
		options.Notes = func(topic string) pubsub.Notes { return redis.NewNotes(m.Redis, kind+":"+topic, p.config.Group) }
	}
	return options
}

func (m maker) activity() (*pipeline, error) {
	cfg := m.Config.Pipelines.Activity
	p, err := m.frame("activity", cfg.Pipeline)
	if err != nil {
		return nil, err
	}
	logger := m.Logger.With("pipeline", p.name)
	handler, err := activity.New(cfg.Config, cfg.Batch, activity.Dependencies{
		Records: m.Store, Patterns: m.Store, Boards: m.Boards,
		Scores:   scores{p.broker.Publisher, cfg.ScoresTopic},
		Observer: p.observer, Logger: logger, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	reload := make(chan struct{}, 1)
	floors := batch.Floors{Every: time.Second, Logger: logger, Raise: m.Boards.RaiseFloor, Withdraw: m.Boards.WithdrawFloor,
		Read: func(ctx context.Context) (map[string]delivery.Position, error) {
			return p.broker.Floors.Floors(ctx, cfg.Topic)
		}}
	p.handle, p.start, p.close = handler.Handle, handler.Start, handler.Close
	p.recount = func(ctx context.Context) (int, error) {
		outlived, err := p.outlived(ctx, m.Config.Broker)
		if err != nil {
			return 0, err
		}
		return handler.Recount(ctx, outlived)
	}
	p.leave = floors.Leave
	p.prepare = func(ctx context.Context) error {
		if err := handler.LoadPatterns(ctx); err != nil {
			return err
		}
		return floors.Move(ctx)
	}
	p.reload = func() {
		select {
		case reload <- struct{}{}:
		default:
		}
	}
	p.workers = append(p.workers, floors.Run, func(ctx context.Context) { handler.WatchPatterns(ctx, reload) })
	return p, nil
}

// drain tells those who wait that the program is stopping.
type drain struct {
	begun chan struct{}
	once  sync.Once
}

func newDrain() *drain { return &drain{begun: make(chan struct{})} }

func (d *drain) begin() { d.once.Do(func() { close(d.begun) }) }
