package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/fx"
	"golang.org/x/time/rate"

	"leat/adapters/embedded"
	"leat/adapters/mongo"
	"leat/adapters/redis"
	"leat/adapters/sqldb"
	"leat/config"
	"leat/handlers/activity"
	"leat/handlers/fault"
)

// backends are the clients of everything outside. What opens here is closed last.
var backends = fx.Module("backends",
	fx.Provide(newRedis, newStore, newBrokers),
)

// start is the context of the time until everything runs: it ends at a signal.
type start struct{ context.Context }

// volatile says that Redis keeps nothing from one start to the next.
type volatile bool

// embed replaces the addresses of Redis and the store by those of servers inside the process.
func embed(cfg *config.Config) (stop func(), err error) {
	server, err := embedded.StartRedis(cfg.Embedded.RedisAddr)
	if err != nil {
		return nil, err
	}
	cfg.Redis = redis.Config{Addr: server.Addr(), Timeout: cfg.Redis.Timeout, PoolSize: cfg.Redis.PoolSize}
	cfg.Store.URI = "sqlite:" + filepath.Join(cfg.Embedded.DataDir, "leat.db")
	if cfg.Broker.RedisStream.Retain == 0 { // nobody else trims a stream that lives in memory
		cfg.Broker.RedisStream.Retain = 10 * time.Minute
	}
	return server.Close, nil
}

func newRedis(lc fx.Lifecycle, begin start, cfg *config.Config, embedded volatile, logger *slog.Logger) (goredis.UniversalClient, error) {
	client, err := redis.NewClient(cfg.Redis)
	if err != nil {
		return nil, err
	}
	lc.Append(fx.StopHook(client.Close))
	if embedded {
		return client, nil
	}
	return client, waitFor(begin, logger, "redis at "+cfg.Redis.Addr, "redis.addr", cfg.Broker.ConnectTimeout, func() error {
		return redis.Check(begin, client, logger)
	})
}

// store is what every database offers.
type store interface {
	activity.Records
	activity.PatternStore
	Ping(ctx context.Context) error
	Close() error
}

func newStore(lc fx.Lifecycle, begin start, cfg *config.Config, logger *slog.Logger) (store, error) {
	var opened store
	err := waitFor(begin, logger, "the store", "store.uri", cfg.Store.ConnectTimeout, func() (err error) {
		opened, err = openStore(begin, cfg.Store, logger)
		return err
	})
	if err != nil {
		return nil, err
	}
	lc.Append(fx.StopHook(opened.Close))
	return opened, nil
}

// openStore chooses the store by the scheme of its URI.
func openStore(ctx context.Context, cfg config.Store, logger *slog.Logger) (store, error) {
	switch scheme, _, _ := strings.Cut(cfg.URI, ":"); scheme {
	case "mongodb", "mongodb+srv":
		return mongo.Open(ctx, cfg.URI, cfg.Database, cfg.Mongo, logger)
	default:
		return sqldb.Open(ctx, cfg.URI, cfg.SQL, logger)
	}
}

// waitFor tries again while a dependency is unavailable, until the time is up. It says so at once, and then every ten seconds. The
// setting is the one that says where the dependency is.
func waitFor(ctx context.Context, logger *slog.Logger, what, setting string, timeout time.Duration, try func() error) error {
	const pause = time.Second
	sometimes := rate.Sometimes{First: 1, Interval: 10 * time.Second}
	deadline := time.Now().Add(timeout)
	for {
		err := try()
		if err == nil || fault.KindOf(err) != fault.Unavailable || ctx.Err() != nil {
			return err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("%s could not be used within %s: %w", what, timeout, unavailableHint(err, setting))
		}
		sometimes.Do(func() { logger.Warn("waiting for "+what, "error", err, "for_at_most", left.Round(time.Second)) })
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(pause, left)):
		}
	}
}
