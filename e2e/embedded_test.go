package e2e

import (
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

var (
	liveLine      = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  activity +\d+/s, waiting \d+, in flight \d+, done (\d+) \| work today:  1\. \S+ \S+`)
	embeddedRedis = regexp.MustCompile(`redis-cli -u redis://(\S+)`)
)

// embedded starts leat run --embedded on a data directory and returns a client of the Redis within.
func embedded(t *testing.T, dir string, args ...string) (*process, *redis.Client) {
	t.Helper()
	p := launch(t, []string{"LEAT_EMBEDDED_REDIS_ADDR=127.0.0.1:0", "LEAT_HTTP_ADDR=127.0.0.1:0", "LEAT_EMBEDDED_DATA_DIR=" + dir},
		append([]string{"run", "--embedded"}, args...)...).running()
	addr := embeddedRedis.FindStringSubmatch(p.out.String())
	require.NotNil(t, addr, "the output names the address of Redis:\n%s", p.out.tail(5))
	client := redis.NewClient(&redis.Options{Addr: addr[1], MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	return p, client
}

// leat run --embedded --sample shows a board within seconds. The boards are gone with the process, the records are not:
// the next start makes the boards again from them.
func TestEmbeddedSample(t *testing.T) {
	dir := t.TempDir()
	first, _ := embedded(t, dir, "--sample=400")
	until(t, 20*time.Second, func() bool { return liveLine.MatchString(first.out.String()) }, func() string { return "a line with a board:\n" + first.out.tail(5) })
	until(t, 20*time.Second, func() bool {
		lines := liveLine.FindAllStringSubmatch(first.out.String(), -1)
		total, err := strconv.Atoi(lines[len(lines)-1][1])
		return err == nil && total >= 1_000
	}, func() string { return "a thousand events:\n" + first.out.tail(5) })
	first.terminate()
	require.NotContains(t, first.log.String(), "dead-lettered", "made-up events are right")

	file := filepath.Join(dir, "leat.db")
	records := openSQL(t, "sqlite", "file:"+file+"?_pragma=busy_timeout(10000)", "").records(t)
	require.Greater(t, len(records), 1_000)
	truth := boards{}
	for _, r := range records {
		truth.count(r.user, r.category, time.UnixMilli(r.millis), r.duration)
	}
	second, client := embedded(t, dir)
	requireBoards(t, truth, readBoards(t, client))
	second.terminate()
}

// What redis-cli adds to an embedded leat counts, in the same forms, and counts the same after a restart.
func TestEmbeddedRestart(t *testing.T) {
	dir := t.TempDir()
	first, client := embedded(t, dir)
	w := &world{t: t, redis: &redisServer{Client: client}}
	var entries []*entry
	truth := boards{}
	for _, f := range forms(t) {
		entries = append(entries, &entry{fields: f.fields, event: &f.want})
	}
	w.publish(append(entries, &entry{fields: spring("bad", "duration", "minus-one")})...)
	for _, e := range entries {
		truth.count(e.event.user, e.event.category, e.when(t), e.event.millis)
	}
	until(t, 20*time.Second, func() bool {
		pending, err := client.XPending(t.Context(), topic, group).Result()
		return err == nil && pending.Count == 0 && client.XLen(t.Context(), dlq).Val() == 1 && len(readBoards(t, client)) == len(truth)
	}, func() string { return "everything is handled" })
	requireBoards(t, truth, readBoards(t, client))
	require.Len(t, w.letters(), 1)
	first.terminate()
	for range 2 { // made again, not added
		again, client := embedded(t, dir)
		requireBoards(t, truth, readBoards(t, client))
		again.terminate()
	}
	killed, client := embedded(t, dir)
	requireBoards(t, truth, readBoards(t, client))
	(&world{t: t, redis: &redisServer{Client: client}}).publish(entries[0])
	until(t, 20*time.Second, func() bool {
		pending, err := client.XPending(t.Context(), topic, group).Result()
		return err == nil && pending.Count == 0 && readBoards(t, client)["total:2025-10-14"]["flat"] == 24_000
	}, func() string { return "one more event is counted" })
	killed.kill()
	truth.count("flat", "Development", october, 12_000)
	last, client := embedded(t, dir)
	requireBoards(t, truth, readBoards(t, client))
	last.terminate()
}
