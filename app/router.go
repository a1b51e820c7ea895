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
			MaxPayload: cfg.DLQ.MaxPayload, Metrics: p.metrics, Logger: logger,
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

// runRouter starts the pipelines with the program and stops them with it: reading ends, what waits is given up, what is
// in flight is finished and acked, then the engines end.
func runRouter(lc fx.Lifecycle, cfg *config.Config, router *message.Router, pipelines []*pipeline, drain *drain, failed failure, redis volatile, logger *slog.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	lc.Append(fx.Hook{
		OnStart: func(begin context.Context) error {
			for _, p := range pipelines {
				if err := ready(begin, p, cfg.Broker.ConnectTimeout, redis, logger); err != nil {
					return fmt.Errorf("pipeline %s: %w", p.name, err)
				}
			}
			for _, p := range pipelines {
				p.start()
				for _, work := range p.workers {
					running.Go(func() { work(ctx) })
				}
			}
			running.Go(func() {
				err := router.Run(context.WithoutCancel(ctx))
				select {
				case <-drain.begun:
				default: // Run also returns, with nil, when a subscription ends by itself
					failed.report(errors.Join(errors.New("the router ended"), err))
				}
			})
			select {
			case <-router.Running():
				return nil
			case err := <-failed:
				return err
			case <-begin.Done():
				return begin.Err()
			}
		},
		OnStop: func(end context.Context) error {
			drain.begin()
			errs := []error{router.Close()}
			cancel()
			engines, stop := context.WithTimeout(end, shareOut(cfg.Shutdown.Timeout).engine)
			defer stop()
			for _, p := range pipelines {
				if err := p.close(engines); err != nil {
					errs = append(errs, fmt.Errorf("pipeline %s: batches were canceled because shutdown.timeout (%s) ran out; their entries stay in the broker: %w", p.name, cfg.Shutdown.Timeout, err))
				}
				p.breaker.Close()
			}
			running.Wait()
			for _, p := range pipelines {
				p.leave(engines)
			}
			return errors.Join(errs...)
		},
	})
}

// ready makes a pipeline ready for its first message. It waits for what it needs, but counts records only once.
func ready(ctx context.Context, p *pipeline, timeout time.Duration, redis volatile, logger *slog.Logger) error {
	err := waitFor(ctx, logger, "what pipeline "+p.name+" needs", timeout, func() error { return p.prepare(ctx) })
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
