// Package app is the composition root: it alone knows which adapter stands behind which port. The commands are in
// cmd_*.go, the order of the middleware in router.go, the choice of backends in backends.go, and the list of
// pipelines in pipelines.go.
package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/dig"
	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"leat/adapters/httpapi"
	"leat/adapters/redis"
	"leat/config"
)

// program is a leat that is assembled and not started.
type program struct {
	app       *fx.App
	failed    failure
	pipelines []*pipeline
	boards    *redis.Boards
	http      *httpapi.Server
	timeout   time.Duration
	logger    *slog.Logger
}

// assemble connects to everything outside and wires the modules. They start in the order telemetry, backends,
// pipelines, router, http, and stop in the reverse one.
func assemble(ctx context.Context, cfg *config.Config, logger *slog.Logger, redis volatile) (*program, error) {
	p := &program{failed: newFailure(), timeout: cfg.Shutdown.Timeout, logger: logger}
	p.app = fx.New(
		fx.Supply(cfg, logger, p.failed, start{ctx}, redis),
		telemetry,
		backends,
		pipelines,
		routing,
		serving,
		fx.Populate(&p.pipelines, &p.boards, &p.http),
		fx.WithLogger(func() fxevent.Logger {
			events := &fxevent.SlogLogger{Logger: logger}
			events.UseLogLevel(slog.LevelDebug)
			events.UseErrorLevel(slog.LevelDebug) // the command reports the error, once
			return events
		}),
	)
	return p, dig.RootCause(p.app.Err()) // without the constructors that it passed through
}

// run starts the program and returns when the context ends or something fails, after everything has stopped.
// started is called once everything runs.
func (p *program) run(ctx context.Context, started func(context.Context)) error {
	if err := p.app.Start(ctx); err != nil {
		return err
	}
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		started(working)
	}()
	var failed error
	select {
	case <-ctx.Done():
		p.logger.Info("stopping; a second signal ends it at once", "within", p.timeout)
	case failed = <-p.failed:
	}
	cancel()
	<-done
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	defer cancel()
	return errors.Join(failed, p.app.Stop(stopping))
}

// serving is the HTTP server of health and metrics.
var serving = fx.Module("http", fx.Provide(newServer), fx.Invoke(acceptEvents))

// acceptEvents lets events in over HTTP.
func acceptEvents(cfg *config.Config, server *httpapi.Server, pipelines []*pipeline) error {
	for _, p := range pipelines {
		if p.name != "activity" {
			continue
		}
		door, err := newActivityIngest(cfg.Pipelines.Activity, p.broker.Publisher)
		if err != nil {
			return err
		}
		server.Accept(p.name, door.take)
	}
	return nil
}

func newServer(lc fx.Lifecycle, cfg *config.Config, registry *prometheus.Registry, client goredis.UniversalClient, store store, brokers *brokers, logger *slog.Logger) (*httpapi.Server, error) {
	server, err := httpapi.Listen(cfg.HTTP, registry, []httpapi.Check{
		{Name: "redis", Ask: func(ctx context.Context) error { return client.Ping(ctx).Err() }},
		{Name: "store", Ask: store.Ping},
		{Name: "broker", Ask: brokers.ping},
	}, logger)
	if err != nil {
		return nil, err
	}
	lc.Append(fx.StartStopHook(server.Serve, server.Close))
	return server, nil
}
