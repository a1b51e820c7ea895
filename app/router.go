package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/fx"

	"leat/config"
	"leat/middleware"
)

// routing runs the pipelines on the Watermill router.
var routing = fx.Module("router", fx.Provide(newDrain, newRouter), fx.Invoke(runRouter))

// newRouter gives every pipeline a handler. The order of the middleware is the order in which a message passes it:
// poison stands outside of retry, or retries would never happen.
func newRouter(cfg *config.Config, pipelines []*pipeline, drain *drain, logger *slog.Logger) (*message.Router, error) {
	if len(pipelines) == 0 {
		return nil, errors.New("no pipeline is enabled; set pipelines.activity.enabled to true")
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: shareOut(cfg.Shutdown.Timeout).router}, routerLog{logger})
	if err != nil {
		return nil, err
	}
	for _, p := range pipelines {
		logger := logger.With("pipeline", p.name)
		poison := middleware.Poison{
			Publisher: p.broker.Publisher, Topic: p.config.DLQTopic(), Handler: p.name, From: p.config.Topic,
			MaxPayload: cfg.DLQ.MaxPayload, MaxMessage: p.broker.Capabilities.MaxMessage, Metrics: p.metrics, Logger: logger,
		}
		handler := router.AddConsumerHandler(p.name, p.config.Topic, p.broker.Subscriber, p.handle)
		handler.AddMiddleware(
			middleware.Observe(p.metrics, logger),
			poison.Middleware,
			p.breaker.Middleware,
			middleware.Retry(p.config.Retry, drain.begun, p.metrics.Retried),
			middleware.Throttle(p.config.Throttle, drain.begun),
			middleware.Recover,
		)
	}
	return router, nil
}

// runner starts the pipelines with the program and stops them with it.
type runner struct {
	fx.In

	Config    *config.Config
	Router    *message.Router
	Pipelines []*pipeline
	Drain     *drain
	Failed    failure
	Redis     volatile
	Logger    *slog.Logger
}

func runRouter(lc fx.Lifecycle, r runner) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	lc.Append(fx.Hook{
		OnStart: func(begin context.Context) error { return r.start(begin, ctx, &running) },
		OnStop:  func(end context.Context) error { return r.stop(end, cancel, &running) },
	})
}

// start returns when the router reads. What it starts beside ends with working.
func (r runner) start(begin, working context.Context, running *sync.WaitGroup) error {
	for _, p := range r.Pipelines {
		if err := ready(begin, p, r.Config.Broker.ConnectTimeout, r.Redis, r.Logger); err != nil {
			return fmt.Errorf("pipeline %s: %w", p.name, err)
		}
	}
	for _, p := range r.Pipelines {
		p.start()
		for _, work := range p.workers {
			running.Go(func() { work(working) })
		}
	}
	running.Go(func() {
		err := r.Router.Run(context.WithoutCancel(working))
		select {
		case <-r.Drain.begun:
		default: // Run also returns, with nil, when a subscription ends by itself
			r.Failed.report(errors.Join(errors.New("the router ended"), err))
		}
	})
	select {
	case <-r.Router.Running():
		return nil
	case err := <-r.Failed:
		return err
	case <-begin.Done():
		return begin.Err()
	}
}

// stop ends reading, makes what waits give up, lets what is in flight finish and be acked, and then ends the engines.
func (r runner) stop(end context.Context, cancel context.CancelFunc, running *sync.WaitGroup) error {
	r.Drain.begin()
	errs := []error{r.Router.Close()}
	cancel()
	budget := r.Config.Shutdown.Timeout
	engines, done := context.WithTimeout(end, shareOut(budget).engine)
	defer done()
	for _, p := range r.Pipelines {
		if err := p.close(engines); err != nil {
			errs = append(errs, fmt.Errorf("pipeline %s: batches were canceled because shutdown.timeout (%s) ran out; their entries stay in the broker: %w", p.name, budget, err))
		}
		p.breaker.Close()
	}
	running.Wait()
	for _, p := range r.Pipelines {
		p.leave(engines)
	}
	return errors.Join(errs...)
}

// ready makes a pipeline ready for its first message. It waits for what it needs, but counts records only once.
func ready(ctx context.Context, p *pipeline, timeout time.Duration, redis volatile, logger *slog.Logger) error {
	err := waitFor(ctx, logger, "what pipeline "+p.name+" needs", "redis.addr, store.uri, the broker's address", timeout, func() error { return p.prepare(ctx) })
	if err != nil || !redis {
		return err
	}
	records, err := p.recount(ctx)
	if err == nil && records > 0 {
		logger.Info("boards rebuilt", "pipeline", p.name, "records", records)
	}
	return err
}

// failure carries the error that ends the program.
type failure chan error

func newFailure() failure { return make(failure, 1) }

func (f failure) report(err error) {
	select {
	case f <- err:
	default: // the first one counts
	}
}
