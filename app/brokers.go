package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/fx"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/amqp"
	"leat/adapters/pubsub/gochannel"
	"leat/adapters/pubsub/kafka"
	"leat/adapters/pubsub/nats"
	"leat/adapters/pubsub/redisstream"
	"leat/adapters/pubsub/sql"
	"leat/config"
	"leat/handlers/fault"
)

// connect opens the backend of a kind: one line each. The Redis client stays the caller's.
func connect(ctx context.Context, kind string, cfg *config.Config, client goredis.UniversalClient, logger *slog.Logger) (pubsub.Backend, error) {
	broker := cfg.Broker
	switch kind {
	case config.RedisStream:
		return redisstream.NewBackend(client, broker.RedisStream, cfg.Redis.Timeout, logger), nil
	case config.GoChannel:
		return gochannel.New(broker.GoChannel, logger), nil
	case config.NATS:
		return opened(nats.Connect(ctx, broker.NATS, logger))
	case config.Kafka:
		return opened(kafka.Connect(ctx, broker.Kafka, logger))
	case config.AMQP:
		return opened(amqp.Connect(ctx, broker.AMQP, logger))
	case config.SQL:
		if broker.SQL.URI == "" && strings.HasPrefix(cfg.Store.URI, "postgres") {
			broker.SQL.URI = cfg.Store.URI
		}
		return opened(sql.Connect(ctx, broker.SQL, logger))
	}
	return nil, fault.Invalidf("broker_kind", "unknown broker %q", kind)
}

// opened keeps a backend that could not be opened from being a Backend that is not nil.
func opened[B pubsub.Backend](backend B, err error) (pubsub.Backend, error) {
	if err != nil {
		return nil, err
	}
	return backend, nil
}

// brokers are the backends of all pipelines, each opened when a pipeline first asks for it, and closed last.
type brokers struct {
	begin  start
	config *config.Config
	redis  goredis.UniversalClient
	logger *slog.Logger

	mu   sync.Mutex
	open map[string]pubsub.Backend
}

func newBrokers(lc fx.Lifecycle, begin start, cfg *config.Config, client goredis.UniversalClient, logger *slog.Logger) *brokers {
	b := &brokers{begin: begin, config: cfg, redis: client, logger: logger, open: make(map[string]pubsub.Backend)}
	lc.Append(fx.StopHook(b.close))
	return b
}

// of returns the backend of a kind. It waits for the broker up to broker.connect_timeout.
func (b *brokers) of(kind string) (pubsub.Backend, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if backend, ok := b.open[kind]; ok {
		return backend, nil
	}
	var backend pubsub.Backend
	err := waitFor(b.begin, b.logger, "the broker ("+kind+")", settingOf(kind), b.config.Broker.ConnectTimeout, func() (err error) {
		if backend == nil {
			if backend, err = connect(b.begin, kind, b.config, b.redis, b.logger); err != nil {
				return err
			}
		}
		return backend.Ping(b.begin)
	})
	if backend != nil {
		b.open[kind] = backend // also after an error: close ends it
	}
	return backend, err
}

// ping asks every open broker.
func (b *brokers) ping(ctx context.Context) error {
	b.mu.Lock()
	open := slices.Collect(maps.Values(b.open))
	b.mu.Unlock()
	failed := make([]error, len(open))
	var asking sync.WaitGroup
	for n, backend := range open {
		asking.Go(func() { failed[n] = backend.Ping(ctx) })
	}
	asking.Wait()
	return errors.Join(failed...)
}

func (b *brokers) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var failed []error
	for _, backend := range b.open {
		failed = append(failed, backend.Close())
	}
	return errors.Join(failed...)
}

// namespace tells apart the sources of brokers of different kinds: the positions of one say nothing about those of another, and
// a topic may move. Redis Streams came first and have none.
func namespace(cfg config.Broker, kind string) string {
	parts := make([]string, 0, 2)
	if cfg.Namespace != "" {
		parts = append(parts, cfg.Namespace)
	}
	if kind != config.RedisStream {
		parts = append(parts, kind)
	}
	return strings.Join(parts, ":")
}
