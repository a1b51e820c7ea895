package redis

import (
	"context"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/handlers/fault"
)

// Config says where Redis is.
type Config struct {
	Addr     string        `config:"addr" env:"REDIS_ADDR" doc:"address of Redis, host:port; empty only with --embedded"`
	Username string        `config:"username" doc:"ACL user; empty is the default user"`
	Password string        `config:"password" env:"REDIS_PASSWORD" secret:"true" doc:"password of the user"`
	DB       int           `config:"db" default:"0" min:"0" doc:"number of the database"`
	TLS      bool          `config:"tls" default:"false" doc:"connect with TLS, verified against the system's certificates"`
	Timeout  time.Duration `config:"timeout" default:"5s" min:"10ms" doc:"how long to connect and to wait for one answer"`
	PoolSize int           `config:"pool_size" default:"20" min:"2" max:"10000" doc:"most connections at the same time"`
}

// NewClient returns a client that connects when it is first used. Whoever calls it closes it.
func NewClient(config Config) *redis.Client {
	options := &redis.Options{
		Addr: config.Addr, Username: config.Username, Password: config.Password, DB: config.DB,
		DialTimeout: config.Timeout, ReadTimeout: config.Timeout, WriteTimeout: config.Timeout,
		ContextTimeoutEnabled: true,
		PoolSize:              config.PoolSize,
		// Outages are waited out by those who know what may be repeated, not by the client.
		MaxRetries: -1, DialerRetries: 1,
	}
	if config.TLS {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return redis.NewClient(options)
}

// Check reports whether Redis answers, accepts the credentials, is no cluster, and would not evict keys: a Redis that is
// used as a cache forgets leaderboards and what is counted in them. Where a setting cannot be read, it warns.
func Check(ctx context.Context, client redis.UniversalClient, logger *slog.Logger) error {
	if err := client.Ping(ctx).Err(); err != nil {
		if redis.HasErrorPrefix(err, "NOAUTH") || redis.HasErrorPrefix(err, "WRONGPASS") || redis.HasErrorPrefix(err, "NOPERM") ||
			redis.HasErrorPrefix(err, "Protocol error: unauthenticated") || redis.HasErrorPrefix(err, "AUTH") {
			return fault.Invalidf("redis_credentials", "redis refuses the credentials: %w (check redis.username and redis.password)", err)
		}
		if redis.HasErrorPrefix(err, "DB index") || redis.HasErrorPrefix(err, "invalid DB index") {
			return fault.Invalidf("redis_db", "redis refuses the database: %w (check redis.db)", err)
		}
		return classify(err, "connect")
	}
	if info, err := client.InfoMap(ctx, "server").Result(); err == nil && info["Server"]["redis_mode"] == "cluster" {
		return fault.Invalidf("redis_cluster", "redis is in cluster mode, which leat cannot use: its leaderboards change in one script over many keys; use a Redis without cluster mode")
	}
	settings, err := client.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil || settings["maxmemory-policy"] == "" {
		logger.Warn("maxmemory-policy of redis cannot be read; make sure that it is noeviction", "error", err)
		return nil
	}
	if policy := settings["maxmemory-policy"]; policy != "noeviction" {
		return fault.Invalidf("redis_eviction", "redis evicts keys (maxmemory-policy %s): it would forget leaderboards and what is counted in them; set it to noeviction", policy)
	}
	return nil
}
