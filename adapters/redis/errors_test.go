package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// answer is an error that Redis itself returned.
type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

func TestErrorKinds(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind fault.Kind
	}{
		{answer("WRONGTYPE Operation against a key holding the wrong kind of value"), fault.Internal},
		{answer("ERR value is not a valid float"), fault.Internal},
		{answer("LOADING Redis is loading the dataset in memory"), fault.Unavailable},
		{answer("READONLY You can't write against a read only replica."), fault.Unavailable},
		{answer("OOM command not allowed when used memory > 'maxmemory'."), fault.Unavailable},
		{answer("MISCONF Redis is configured to save RDB snapshots"), fault.Unavailable},
		{answer("NOSCRIPT No matching script."), fault.Unavailable},
		{answer("ERR max number of clients reached"), fault.Unavailable},
		{answer("NOAUTH Authentication required."), fault.Unavailable},
		{answer("ERR Protocol error: unauthenticated multibulk length"), fault.Unavailable},
		{answer("WRONGPASS invalid username-password pair"), fault.Unavailable},
		{answer("NOPERM this user has no permissions to run the 'evalsha' command"), fault.Unavailable},
		{answer("ERR AUTH <password> called without any password configured for the default user."), fault.Unavailable},
		{answer("ERR DB index is out of range"), fault.Unavailable},
		{answer("ERR The user executing the script can't run this command or subcommand"), fault.Unavailable},
		{answer("ACL failure in script: User leat has no permissions to run the 'zadd' command"), fault.Unavailable},
		{fmt.Errorf("redis: all sentinels are unreachable: %w", errors.Join(redis.Nil)), fault.Unavailable},
		{fmt.Errorf("redis: all sentinels are unreachable: %w", errors.Join(answer("ERR No such master with that name"))), fault.Unavailable},
		{errors.New("dial tcp: connection refused"), fault.Unavailable},
		{redis.ErrClosed, fault.Unavailable},
		{context.DeadlineExceeded, fault.Unavailable},
		{context.Canceled, fault.Canceled},
		{fault.Invalidf("code", "text"), fault.Invalid},
	} {
		got := classify(test.err, "count")
		require.Equal(t, test.kind, fault.KindOf(got), "%v", test.err)
		require.ErrorIs(t, got, test.err)
	}
	require.NoError(t, classify(nil, "count"))
}

// every calls each method and hands the error on.
func every(ctx context.Context, boards *Boards, check func(error)) {
	_, err := boards.Apply(ctx, []activity.Count{one(1, 5, total)})
	check(err)
	check(boards.RaiseFloor(ctx, stream, delivery.Position{Major: 1}))
	_, err = boards.Top(ctx, total, 10)
	check(err)
	_, _, err = boards.Rank(ctx, total, "u1")
	check(err)
	check(boards.Ping(ctx))
}

func TestUnavailable(t *testing.T) {
	t.Run("connection refused", func(t *testing.T) {
		every(t.Context(), NewBoards(connect(t, freeAddr(t))), func(err error) {
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		})
	})
	t.Run("a password is missing", func(t *testing.T) {
		every(t.Context(), NewBoards(connect(t, startRedis(t, "--requirepass", "secret"))), func(err error) {
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		})
	})
	t.Run("a wrong password is not shown", func(t *testing.T) {
		client := open(t, Config{Addr: startRedis(t, "--requirepass", "secret"), Password: "guessed", Timeout: time.Second})
		every(t.Context(), NewBoards(client), func(err error) {
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
			require.NotContains(t, err.Error(), "guessed")
		})
	})
	t.Run("out of memory", func(t *testing.T) {
		boards := NewBoards(connect(t, startRedis(t, "--maxmemory", "1", "--maxmemory-policy", "noeviction")))
		_, err := boards.Apply(t.Context(), []activity.Count{one(1, 5, total)})
		require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	})
	t.Run("a replica", func(t *testing.T) {
		boards := NewBoards(connect(t, startRedis(t, "--replicaof", "127.0.0.1 1")))
		_, err := boards.Apply(t.Context(), []activity.Count{one(1, 5, total)})
		require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	})
	t.Run("permissions were taken away", func(t *testing.T) {
		s := startServer(t)
		for _, rules := range [][]string{{"+@all", "-zincrby", "~*"}, {"+@all", "~leat:*"}, {"+@all", "-evalsha", "-eval", "~*"}} {
			_, err := NewBoards(open(t, allow(t, Config{Addr: s.addr}, rules, s))).Apply(t.Context(), []activity.Count{one(1, 5, total)})
			require.Error(t, err)
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		}
	})
	t.Run("no sentinel knows the master", func(t *testing.T) {
		r := startReplicated(t)
		r.config.Master = "others"
		every(t.Context(), NewBoards(open(t, r.config)), func(err error) {
			require.Error(t, err)
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		})
	})
	t.Run("no node of the cluster answers", func(t *testing.T) {
		every(t.Context(), NewBoards(open(t, Config{Mode: Cluster, Addr: freeAddr(t) + "," + freeAddr(t)})), func(err error) {
			require.Error(t, err)
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		})
	})
	t.Run("a part of the cluster is gone", func(t *testing.T) {
		nodes := startCluster(t, 3)
		client := open(t, Config{Mode: Cluster, Addr: addrs(nodes), Timeout: time.Second}).(*redis.ClusterClient)
		owner, _ := owners(t, client, nodes)
		patience(t, nodes, time.Second)
		owner.kill()
		for range 2 {
			_, err := NewBoards(client).Apply(t.Context(), []activity.Count{one(1, 5, total)})
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
			until(t, 20*time.Second, "the others know", func() bool {
				for _, node := range nodes {
					if node != owner && strings.Contains(connect(t, node.addr).ClusterInfo(t.Context()).Val(), "cluster_state:ok") {
						return false
					}
				}
				return true
			})
		}
	})
	t.Run("the caller gave up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		every(ctx, NewBoards(connect(t, startRedis(t))), func(err error) {
			require.Equal(t, fault.Canceled, fault.KindOf(err), "%v", err)
		})
	})
}
