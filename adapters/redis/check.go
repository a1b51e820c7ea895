package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"leat/handlers/fault"
)

// Check reports whether Redis can be used as it is configured: it answers, accepts the credentials, is set up as redis.mode
// says, takes writes, lets the user do what leaderboards need, and would not evict keys: a Redis that is used as a
// cache forgets leaderboards and what is counted in them. Of a cluster, every master is asked. Where a setting cannot be read,
// it warns. Errors that only a person can mend are of kind Invalid and name the key to change; what may pass by itself is
// Unavailable, such as a replica in the place of the master, or sentinels that do not know the master.
func Check(ctx context.Context, client redis.UniversalClient, logger *slog.Logger) error {
	var err error
	if cluster, ok := client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			return checkMaster(ctx, master, logger)
		})
	} else {
		err = checkServer(ctx, client, logger)
	}
	if err != nil {
		return refusal(err)
	}
	return refusal(checkPermissions(ctx, client))
}

// checkServer asks a server that should not belong to a cluster.
func checkServer(ctx context.Context, client redis.UniversalClient, logger *slog.Logger) error {
	if err := client.Ping(ctx).Err(); err != nil {
		return err
	}
	mode, role := nature(ctx, client)
	switch {
	case mode == "cluster":
		return errNeedsCluster
	case mode == "sentinel":
		return fault.Invalidf("redis_mode", "redis.addr leads to a sentinel: set redis.mode to sentinel, and redis.master to the name of the master")
	case role == "replica" || role == "slave":
		return fault.Unavailablef("redis: the server is a replica, which takes no writes: redis.addr must lead to the master (redis.mode sentinel finds it)")
	}
	return checkEviction(ctx, client, logger)
}

var errNeedsCluster = fault.Invalidf("redis_mode", "redis is in cluster mode: set redis.mode to cluster")

// checkMaster asks one master of a cluster.
func checkMaster(ctx context.Context, master *redis.Client, logger *slog.Logger) error {
	_, err := master.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Do(ctx, "asking") // is needed while a slot moves, and holds for one command, which is the next
		pipe.Ping(ctx)
		return nil
	})
	if err != nil {
		return err
	}
	info, err := master.ClusterInfo(ctx).Result()
	switch {
	case err != nil:
		logger.Warn("the state of the redis cluster cannot be read", "error", err)
	case !strings.Contains(info, "cluster_state:ok"):
		return fault.Unavailablef("redis: the cluster is not in order: cluster_state at %s is not ok", master.Options().Addr)
	}
	return checkEviction(ctx, master, logger)
}

func checkEviction(ctx context.Context, client redis.UniversalClient, logger *slog.Logger) error {
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

// nature is what a server says of itself, as far as it does: its mode (standalone, sentinel, cluster) and its role (master, replica).
func nature(ctx context.Context, client redis.UniversalClient) (mode, role string) {
	hello := redis.NewMapStringInterfaceCmd(ctx, "hello")
	_ = client.Process(ctx, hello)
	mode, _ = hello.Val()["mode"].(string)
	role, _ = hello.Val()["role"].(string)
	return mode, role
}

// refusal tells what only a person can mend from what may pass by itself.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	says := func(prefixes ...string) bool {
		for _, prefix := range prefixes {
			if redis.HasErrorPrefix(err, prefix) {
				return true
			}
		}
		return false
	}
	credentials, sentinel := "redis.username and redis.password", fromSentinel(err)
	if sentinel {
		credentials = "redis.sentinel_username and redis.sentinel_password"
	}
	switch {
	case says("NOAUTH", "WRONGPASS", "Protocol error: unauthenticated", "AUTH", "Client sent AUTH", "invalid password"):
		return fault.Invalidf("redis_credentials", "redis refuses the credentials: %w (check %s)", err, credentials)
	case says("NOPERM"):
		return fault.Invalidf("redis_permissions", "redis refuses what leat needs: %w (give the user more permissions, or check %s)", err, credentials)
	case says("DB index", "invalid DB index"):
		return fault.Invalidf("redis_db", "redis refuses the database: %w (check redis.db)", err)
	case says("This instance has cluster support disabled"):
		return fault.Invalidf("redis_mode", "redis is not in cluster mode: set redis.mode to standalone")
	case says("MOVED"):
		return errNeedsCluster
	case sentinel && says("unknown command"):
		return fault.Invalidf("redis_mode", "redis.addr does not lead to a sentinel: list the sentinels there, or set redis.mode to standalone")
	case sentinel && errors.Is(err, redis.Nil):
		return fault.Unavailablef("redis: the sentinels know no master of the name that redis.master gives")
	case refusedByTLS(err):
		return fault.Invalidf("redis_tls", "no encrypted connection to redis: %w (check redis.tls)", err)
	case errors.Is(err, io.EOF), errors.Is(err, context.DeadlineExceeded):
		return fault.Unavailablef("redis: connect: %w (this is also what comes of redis.tls.enabled where the server speaks no TLS, or the reverse)", err)
	}
	return classify(err, "connect")
}

// fromSentinel reports whether the error came up while a sentinel was asked for the master.
func fromSentinel(err error) bool { return strings.HasPrefix(err.Error(), "redis: all sentinels ") }

// refusedByTLS reports whether one side refused the other's certificates, or speaks no TLS.
func refusedByTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	operation, ok := errors.AsType[*net.OpError](err)
	return ok && (operation.Op == "remote error" || operation.Op == "local error") // so crypto/tls calls an alert
}
