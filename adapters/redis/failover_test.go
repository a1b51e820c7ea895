package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// counter counts events of one second each, again and again until Redis takes them, as the program does.
type counter struct {
	t      *testing.T
	boards *Boards
	next   atomic.Int64 // events before it are acknowledged
	failed atomic.Int64 // attempts
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

func startCounter(t *testing.T, boards *Boards) *counter {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &counter{t: t, boards: boards, stop: cancel}
	c.ended.Go(func() {
		for ctx.Err() == nil {
			at := int(c.next.Load())
			_, err := boards.Apply(ctx, []activity.Count{one(at, 1, total), one(at+1, 1, total)})
			switch kind := fault.KindOf(err); {
			case err == nil:
				c.next.Add(2)
			case ctx.Err() != nil:
			case kind == fault.Unavailable:
				c.failed.Add(1)
			default:
				t.Errorf("an error of kind %s: %v", kind, err)
				return
			}
		}
	})
	t.Cleanup(c.finish)
	return c
}

// more waits until so many more events are counted.
func (c *counter) more(n int64) {
	c.t.Helper()
	goal := c.next.Load() + n
	until(c.t, 60*time.Second, "counting goes on", func() bool { return c.next.Load() >= goal || c.t.Failed() })
}

func (c *counter) finish() {
	c.stop()
	c.ended.Wait()
}

// scored is what the board says, after checking that it says what the markers say.
func (c *counter) scored(client redis.UniversalClient) int64 {
	c.t.Helper()
	score, err := client.ZScore(c.t.Context(), c.boards.names.board(total), "u1").Result()
	require.NoError(c.t, err)
	markers, err := client.ZCard(c.t.Context(), c.boards.names.markers(stream)).Result()
	require.NoError(c.t, err)
	require.Equal(c.t, markers, int64(score), "each event that is marked is counted, and the reverse")
	return int64(score)
}

// replay counts everything once more, as after redelivery: afterwards everything is counted exactly once.
func (c *counter) replay(client redis.UniversalClient) {
	c.t.Helper()
	last := c.next.Load() + 2 // the last one may have arrived, though nobody was told
	for n := range last {
		_, err := c.boards.Apply(c.t.Context(), []activity.Count{one(int(n), 1, total)})
		require.NoError(c.t, err)
	}
	require.Equal(c.t, last, c.scored(client))
}

// A sentinel makes the replica the master: counting goes on there. What the old master had not yet passed on is lost, from
// boards and markers alike, so that nothing is counted twice, and what is delivered again is counted.
func TestSentinelFailover(t *testing.T) {
	r := startReplicated(t)
	r.config.Timeout = time.Second
	client := open(t, r.config)
	c := startCounter(t, NewBoards(client))
	c.more(500)
	r.failOver(t)
	c.more(500)
	c.finish()
	require.Positive(t, c.failed.Load(), "no outage was seen")
	require.LessOrEqual(t, c.scored(client), c.next.Load()+2)
	require.Equal(t, float64(c.scored(client)), connect(t, r.replica.addr).ZScore(t.Context(), names{}.board(total), "u1").Val())
	c.replay(client)
	standing, ok, err := c.boards.Rank(t.Context(), total, "u1")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, float64(c.next.Load()+2), standing.Seconds)
}

// A cluster replaces the master of the boards by its replica.
func TestClusterFailover(t *testing.T) {
	nodes := startNodes(t, 4)
	masters := nodes[:3]
	for n, master := range masters {
		require.NoError(t, connect(t, master.addr).ClusterAddSlotsRange(t.Context(), n*5461, n*5461+5460+n/2).Err())
	}
	inOrder(t, nodes, masters)
	config := Config{Mode: Cluster, Addr: addrs(masters), Timeout: time.Second}
	client := open(t, config).(*redis.ClusterClient)
	owner, _ := owners(t, client, masters)
	require.NoError(t, connect(t, nodes[3].addr).ClusterReplicate(t.Context(), id(t, owner)).Err())
	follows(t, nodes[3])
	c := startCounter(t, NewBoards(client))
	c.more(500)
	owner.kill()
	promoted(t, nodes[3])
	c.more(500)
	c.finish()
	require.Positive(t, c.failed.Load(), "no outage was seen")
	require.LessOrEqual(t, c.scored(client), c.next.Load()+2)
	c.replay(client)
}

// The slot of the boards moves to another node, key by key, while events are counted: each is counted exactly once, and no
// message is at fault.
func TestClusterMovesTheBoards(t *testing.T) {
	nodes := startCluster(t, 3)
	client := open(t, Config{Mode: Cluster, Addr: addrs(nodes)}).(*redis.ClusterClient)
	c := startCounter(t, NewBoards(client))
	c.more(500)
	// While a slot moves, the new node takes a script only if all its keys are there: the floor must not be missing.
	require.NoError(t, c.boards.RaiseFloor(t.Context(), stream, delivery.Position{Major: 1}))
	from, to := owners(t, client, nodes)
	slot := client.ClusterKeySlot(t.Context(), "{leat}").Val()
	source, target := connect(t, from.addr), connect(t, to.addr)
	do := func(client *redis.Client, args ...any) {
		t.Helper()
		require.NoError(t, client.Do(t.Context(), args...).Err())
	}
	do(target, "cluster", "setslot", slot, "importing", id(t, from))
	do(source, "cluster", "setslot", slot, "migrating", id(t, to))
	failed := c.failed.Load()
	moved := 0
	for {
		found := source.ClusterGetKeysInSlot(t.Context(), int(slot), 1).Val()
		if len(found) == 0 {
			break
		}
		do(source, "migrate", "127.0.0.1", port(t, to.addr), found[0], 0, 5000)
		if moved++; moved == 1 { // with keys on both nodes, neither can run the script
			until(t, 20*time.Second, "counting is held", func() bool { return c.failed.Load() > failed })
		}
	}
	require.Greater(t, moved, 1)
	c.more(100) // asked for at the new node, on the old one's word
	for _, node := range []*redis.Client{target, source} {
		do(node, "cluster", "setslot", slot, "node", id(t, to))
	}
	c.more(500)
	c.finish()
	require.GreaterOrEqual(t, c.scored(client), c.next.Load(), "nothing is lost")
	require.Equal(t, float64(c.scored(client)), target.ZScore(t.Context(), names{"{leat}:"}.board(total), "u1").Val())
	c.replay(client)
}

// owners returns the node that holds the boards, and one that does not.
func owners(t *testing.T, client *redis.ClusterClient, nodes []*server) (owner, other *server) {
	t.Helper()
	master, err := client.MasterForKey(t.Context(), "{leat}")
	require.NoError(t, err)
	for _, node := range nodes {
		if node.addr == master.Options().Addr {
			owner = node
		} else {
			other = node
		}
	}
	require.NotNil(t, owner)
	return owner, other
}

func id(t *testing.T, node *server) string {
	t.Helper()
	id, err := connect(t, node.addr).ClusterMyID(t.Context()).Result()
	require.NoError(t, err)
	return id
}
