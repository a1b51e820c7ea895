package e2e

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// cluster is three masters of one test, which share the slots.
type cluster struct {
	nodes  []*redisServer
	client *redis.ClusterClient
}

func startCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{}
	var buses, addrs []string
	for n := range 3 {
		_, bus, err := net.SplitHostPort(freeAddr(t)) // by default 10000 above the port, which may be too high
		require.NoError(t, err)
		node := startRedis(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "1000", "--appendfsync", "always")
		require.NoError(t, node.Do(t.Context(), "cluster", "set-config-epoch", n+1).Err())
		require.NoError(t, node.ClusterAddSlotsRange(t.Context(), n*5462, min(n*5462+5461, 16383)).Err())
		c.nodes, buses, addrs = append(c.nodes, node), append(buses, bus), append(addrs, node.addr)
	}
	host, port, err := net.SplitHostPort(c.nodes[0].addr)
	require.NoError(t, err)
	for _, node := range c.nodes[1:] {
		require.NoError(t, node.Do(t.Context(), "cluster", "meet", host, port, buses[0]).Err())
	}
	c.inOrder(t)
	c.client = redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ReadTimeout: 30 * time.Second})
	t.Cleanup(func() { _ = c.client.Close() })
	return c
}

// inOrder waits until each node sees all slots served by three.
func (c *cluster) inOrder(t testing.TB) {
	t.Helper()
	for _, node := range c.nodes {
		until(t, 30*time.Second, func() bool {
			info := node.ClusterInfo(t.Context()).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3\r") && strings.Contains(info, "cluster_size:3\r")
		}, func() string { return "the cluster is in order: " + node.ClusterInfo(t.Context()).Val() })
	}
}

// addrs is how leat is told of the cluster.
func (c *cluster) addrs() string {
	return c.nodes[0].addr + "," + c.nodes[1].addr + "," + c.nodes[2].addr
}

// owner is the node that a key lies on.
func (c *cluster) owner(t testing.TB, key string) *redisServer {
	t.Helper()
	master, err := c.client.MasterForKey(t.Context(), key)
	require.NoError(t, err)
	for _, node := range c.nodes {
		if node.addr == master.Options().Addr {
			return node
		}
	}
	t.Fatalf("no node is at %s", master.Options().Addr)
	return nil
}

// server is the cluster as the world of a test reads it: as if it were one server.
func (c *cluster) server(t testing.TB) *redisServer {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: "the cluster"})
	client.AddHook(through{c.client})
	t.Cleanup(func() { _ = client.Close() })
	return &redisServer{Client: client, addr: c.addrs()}
}

// through hands what a client is asked on to the cluster.
type through struct{ cluster *redis.ClusterClient }

func (through) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h through) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if keys, ok := cmd.(*redis.StringSliceCmd); ok && cmd.Name() == "keys" {
			return h.keys(ctx, keys)
		}
		return h.cluster.Process(ctx, cmd)
	}
}

// keys asks every master.
func (h through) keys(ctx context.Context, cmd *redis.StringSliceCmd) error {
	var mu sync.Mutex
	var all []string
	err := h.cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		found, err := master.Keys(ctx, fmt.Sprint(cmd.Args()[1])).Result()
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return err
	})
	cmd.SetVal(all)
	cmd.SetErr(err)
	return err
}

func (h through) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		pipe := h.cluster.Pipeline()
		for _, cmd := range cmds {
			_ = pipe.Process(ctx, cmd)
		}
		_, err := pipe.Exec(ctx)
		return err
	}
}

// On a cluster of three: streams lie where their names put them, boards and markers on one slot. A worker is killed, and two
// of the nodes go away and come back, that of the boards first; everything adds up.
func TestCluster(t *testing.T) {
	random := random(t)
	c := startCluster(t)
	w := &world{t: t, redis: c.server(t), db: openSQLite(t)}
	mode := append([]string{"LEAT_REDIS_MODE=cluster", atRate(2000)}, append(quickBreaker, smallBatches(0)...)...)
	all := newLoad(random).entries(6_000)
	w.publish(all...)

	victim := w.run(mode...)
	w.reads(800 + random.IntN(800))
	victim.kill()
	worker := w.run(mode...)
	boards := c.owner(t, "{leat}")
	for _, node := range []*redisServer{boards, c.nodes[(slices.Index(c.nodes, boards)+1)%3]} { // a cluster with a part missing takes nothing
		until(t, 30*time.Second, func() bool { return worker.metric(batches) > 2 }, func() string { return "work goes on" })
		node.kill()
		closedBefore := strings.Count(worker.log.String(), closed)
		worker.logged(opened, closedBefore+1, 30*time.Second)
		node.start(t)
		c.inOrder(t)
		worker.logged(closed, closedBefore+1, 30*time.Second)
	}
	w.drained(90 * time.Second)
	worker.terminate()
	w.addsUp(all)

	keys, err := w.redis.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	tagged := 0
	for _, key := range keys {
		if strings.HasPrefix(key, "leaderboard:") {
			require.True(t, strings.HasPrefix(key, "leaderboard:{leat}:"), key)
			tagged++
		}
		if strings.HasPrefix(key, "leat:activity:") {
			t.Errorf("key %s bears no hash tag", key)
		}
	}
	require.Positive(t, tagged)
	require.NotContains(t, worker.log.String(), "level=ERROR")
	require.Equal(t, int64(1), c.client.Exists(t.Context(), "leat:{leat}:activity:counted:"+topic).Val())
}

// What is configured and what is there do not fit: it is said at once, with the key to change.
func TestRunRefusesTheWrongMode(t *testing.T) {
	t.Parallel()
	single, c := startRedis(t), startCluster(t)
	for name, test := range map[string]struct {
		env  []string
		says string
	}{
		"a cluster, not expected":             {[]string{"REDIS_ADDR=" + c.nodes[0].addr}, "set redis.mode to cluster"},
		"no cluster, where one is expected":   {[]string{"REDIS_ADDR=" + single.addr, "LEAT_REDIS_MODE=cluster"}, "set redis.mode to standalone"},
		"no sentinel, where one is expected":  {[]string{"REDIS_ADDR=" + single.addr, "LEAT_REDIS_MODE=sentinel", "LEAT_REDIS_MASTER=m"}, "redis.addr does not lead to a sentinel"},
		"credentials that the cluster denies": {[]string{"REDIS_ADDR=" + c.addrs(), "LEAT_REDIS_MODE=cluster", "LEAT_REDIS_USERNAME=leat", "REDIS_PASSWORD=hunter2"}, "redis.username"},
	} {
		t.Run(name, func(t *testing.T) {
			r := refused(t, 1, append(test.env, "LEAT_STORE_URI=sqlite:leat.db"))
			require.Contains(t, r.err, test.says)
			require.Less(t, r.took, 5*time.Second)
		})
	}
	t.Run("values that contradict each other", func(t *testing.T) {
		r := refused(t, 2, []string{
			"REDIS_ADDR=redis://127.0.0.1:6379", "LEAT_REDIS_MODE=cluster", "LEAT_REDIS_DB=1", "LEAT_REDIS_MASTER=m",
			"LEAT_REDIS_TLS_CA_FILE=ca.pem", "LEAT_STORE_URI=sqlite:leat.db",
		})
		for _, key := range []string{"redis.addr", "redis.db", "redis.master", "redis.tls.enabled"} {
			require.Contains(t, r.err, key)
		}
	})
}
