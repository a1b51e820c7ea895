package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// The names of the contract with the outside.
const (
	topic  = "pomodoro_pattern_match_stream"
	group  = "pomodoro_pattern_match_group"
	dlq    = "pomodoro_pattern_match_stream.dlq"
	scores = "session_score_stream"
)

// world is what one test has outside of leat.
type world struct {
	t     testing.TB
	redis *redisServer
	db    store
}

func newWorld(t testing.TB, db store) *world {
	t.Helper()
	return &world{t: t, redis: startRedis(t), db: db}
}

// env is the environment of a leat that lives in this world, with times that keep tests short.
func (w *world) env(more ...string) []string {
	env := append([]string{
		"REDIS_ADDR=" + w.redis.addr,
		"LEAT_HTTP_ADDR=127.0.0.1:0",
		"LEAT_BROKER_REDISSTREAM_CONSUMER=worker",
		"LEAT_BROKER_REDISSTREAM_LEASE=300ms",
		"LEAT_BROKER_REDISSTREAM_BLOCK=50ms",
	}, w.db.env()...)
	return append(env, more...)
}

// run starts a worker and waits until it runs.
func (w *world) run(more ...string) *process {
	w.t.Helper()
	return launch(w.t, w.env(more...), "run").running()
}

// atRate bounds the speed of a worker, so that tests on a slow machine come in time to disturb it.
func atRate(perSecond int) string {
	return fmt.Sprintf("LEAT_PIPELINES_ACTIVITY_THROTTLE_RATE=%d", perSecond)
}

// publish adds the entries to the stream in their order.
func (w *world) publish(entries ...*entry) {
	w.t.Helper()
	for len(entries) > 0 {
		n := min(1000, len(entries))
		pipe := w.redis.Pipeline()
		ids := make([]*redis.StringCmd, n)
		for i, e := range entries[:n] {
			ids[i] = pipe.XAdd(w.t.Context(), &redis.XAddArgs{Stream: topic, Values: e.fields})
		}
		_, err := pipe.Exec(w.t.Context())
		require.NoError(w.t, err)
		for i, id := range ids {
			entries[i].id = id.Val()
		}
		entries = entries[n:]
	}
}

// state is how far the group is.
type state struct{ read, pending, lag int64 }

func (w *world) state() (state, error) {
	groups, err := w.redis.XInfoGroups(w.t.Context(), topic).Result()
	if err != nil {
		return state{}, err
	}
	for _, g := range groups {
		if g.Name == group {
			return state{g.EntriesRead, g.Pending, g.Lag}, nil
		}
	}
	return state{lag: -1}, nil
}

// drained waits until the group has read and acked the whole stream.
func (w *world) drained(timeout time.Duration) {
	w.t.Helper()
	var last state
	var err error
	until(w.t, timeout, func() bool {
		last, err = w.state()
		return err == nil && last.lag == 0 && last.pending == 0
	}, func() string { return fmt.Sprintf("the stream is drained: %+v %v", last, err) })
}

// reads waits until the group has been given so many entries.
func (w *world) reads(n int) {
	w.t.Helper()
	var last state
	until(w.t, 60*time.Second, func() bool {
		s, err := w.state()
		last = s
		return err == nil && s.read >= int64(n)
	}, func() string { return fmt.Sprintf("%d entries are read: %+v", n, last) })
}

// pending returns the ids of all pending entries.
func (w *world) pending() []string {
	w.t.Helper()
	entries, err := w.redis.XPendingExt(w.t.Context(), &redis.XPendingExtArgs{
		Stream: topic, Group: group, Start: "-", End: "+", Count: 1_000_000,
	}).Result()
	require.NoError(w.t, err)
	ids := make([]string, len(entries))
	for n, p := range entries {
		ids[n] = p.ID
	}
	return ids
}

// letters returns the dead letters, as a Watermill program reads them.
func (w *world) letters() []*message.Message {
	w.t.Helper()
	entries, err := w.redis.XRange(w.t.Context(), dlq, "-", "+").Result()
	require.NoError(w.t, err)
	letters := make([]*message.Message, len(entries))
	for n, e := range entries {
		letters[n], err = redisstream.DefaultMarshallerUnmarshaller{}.Unmarshal(e.Values)
		require.NoError(w.t, err)
	}
	return letters
}

// boards reads every leaderboard: by key, then by user, in milliseconds.
func (w *world) boards() boards {
	w.t.Helper()
	return readBoards(w.t, w.redis.Client)
}

func readBoards(t testing.TB, client *redis.Client) boards {
	t.Helper()
	keys, err := client.Keys(t.Context(), "leaderboard:*").Result()
	require.NoError(t, err)
	pipe := client.Pipeline()
	ranges := make([]*redis.ZSliceCmd, len(keys))
	for n, key := range keys {
		ranges[n] = pipe.ZRangeWithScores(t.Context(), key, 0, -1)
	}
	if len(keys) > 0 {
		_, err = pipe.Exec(t.Context())
		require.NoError(t, err)
	}
	all := boards{}
	for n, key := range keys {
		for _, z := range ranges[n].Val() {
			board := strings.TrimPrefix(strings.TrimPrefix(key, "leaderboard:"), "{leat}:") // the tag is that of a cluster
			all.add(board, z.Member.(string), z.Score*1000)
		}
	}
	return all
}
