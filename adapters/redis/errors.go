package redis

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"

	"leat/handlers/fault"
)

// passing begin the answers of a Redis that cannot serve now, or that this client may not use as it is configured: no
// message is at fault. HasErrorPrefix compares what follows "ERR ".
var passing = [...]string{
	"LOADING", "READONLY", "OOM", "MASTERDOWN", "CLUSTERDOWN", "CROSSSLOT", "TRYAGAIN", "BUSY", "NOREPLICAS", "MISCONF",
	"UNBLOCKED", "MOVED", "ASK", "NOSCRIPT", "max number of clients",
	"NOAUTH", "Protocol error: unauthenticated", "WRONGPASS", "NOPERM", "AUTH", "Client sent AUTH", "DB index", "invalid DB index",
	"The user executing the script", "ACL failure in script", // NOPERM, within a script
}

// classify gives an error of Redis its kind: what Redis answered about the command itself is internal, everything
// else (connection, timeout, loading, read-only, out of memory, failover, credentials) is unavailable.
func classify(err error, doing string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	if answered(err) && !slices.ContainsFunc(passing[:], func(prefix string) bool {
		return redis.HasErrorPrefix(err, prefix)
	}) {
		return fault.Internalf("", "redis: %s: %w", doing, err)
	}
	return fault.Unavailablef("redis: %s: %w", doing, err)
}

// answered reports whether Redis said this to the command itself. Wrapped in another error, it is what a sentinel said, or what
// a new connection met before the command was sent.
func answered(err error) bool {
	_, said := errors.AsType[redis.Error](err)
	return said && errors.Unwrap(err) == nil
}

// absent reports whether Redis answered that there is no value. A sentinel that does not know the master says the same,
// but not to the command.
func absent(err error) bool { return errors.Is(err, redis.Nil) && answered(err) }
