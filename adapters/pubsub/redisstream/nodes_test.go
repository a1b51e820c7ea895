package redisstream

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

const slots = 16384

// node is a server of a cluster.
type node struct {
	*server
	client *redis.Client
	id     string
}

// startCluster starts a cluster of three masters, and a replica of the first. It returns them in this order, and a client.
func startCluster(t testing.TB) (nodes []node, client *redis.ClusterClient) {
	ctx := context.Background()
	for range 4 {
		server := startRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no")
		single := connect(t, server.addr)
		id, err := single.Do(ctx, "cluster", "myid").Text()
		require.NoError(t, err)
		nodes = append(nodes, node{server, single, id})
	}
	for i, n := range nodes[:3] {
		require.NoError(t, n.client.ClusterAddSlotsRange(ctx, i*slots/3, (i+1)*slots/3-1).Err())
		require.NoError(t, n.client.Do(ctx, "cluster", "set-config-epoch", i+1).Err())
	}
	for _, n := range nodes[1:] {
		host, port, _ := net.SplitHostPort(n.addr)
		require.NoError(t, nodes[0].client.ClusterMeet(ctx, host, port).Err())
	}
	for _, n := range nodes {
		until(t, func() bool {
			info := n.client.ClusterInfo(ctx).Val()
			return strings.Contains(info, "cluster_known_nodes:4") && strings.Contains(info, "cluster_slots_ok:16384")
		})
	}
	until(t, func() bool { return nodes[3].client.ClusterReplicate(ctx, nodes[0].id).Err() == nil })
	until(t, func() bool {
		return nodes[3].client.InfoMap(ctx, "replication").Item("Replication", "master_link_status") == "up"
	})
	until(t, func() bool { return strings.Contains(nodes[1].client.ClusterNodes(ctx).Val(), "slave "+nodes[0].id) })
	client = redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{nodes[1].addr, nodes[2].addr}, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1,
		ClusterStateReloadInterval: time.Second,
	})
	t.Cleanup(func() { _ = client.Close() })
	return nodes, client
}

// onEach returns a stream for each of the three masters, in their order.
func onEach(t testing.TB, client *redis.ClusterClient, name string) []string {
	streams := make([]string, 3)
	for n, found := 0, 0; found < 3; n++ {
		require.Less(t, n, 1000)
		stream := name + string(rune('a'+n%26)) + strings.Repeat("x", n/26)
		if of := client.ClusterKeySlot(context.Background(), stream).Val() * 3 / slots; streams[of] == "" {
			streams[of] = stream
			found++
		}
	}
	return streams
}

// TestThreeNodes reads and publishes streams on all nodes of a cluster, one of which dies, and one of which gives a stream away.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	t.Run("a master dies", func(t *testing.T) {
		t.Parallel()
		nodes, client := startCluster(t)
		moves(t, client, func() {
			require.EqualValues(t, 1, nodes[0].client.Wait(context.Background(), 1, patience).Val(), "the replica has everything")
			nodes[0].kill()
			until(t, func() bool { return nodes[3].client.Do(context.Background(), "role").Val().([]any)[0] == "master" })
		}, onEach(t, client, "s")...)
	})
	t.Run("a slot moves", func(t *testing.T) {
		t.Parallel()
		nodes, client := startCluster(t)
		streams := onEach(t, client, "s")
		moves(t, client, func() { moveSlot(t, nodes, streams[1], 1, 2) }, streams...)
	})
}

// moveSlot moves all keys of the stream's slot to another node, as redis-cli --cluster reshard does.
func moveSlot(t *testing.T, nodes []node, stream string, from, to int) {
	ctx := context.Background()
	slot := int(nodes[0].client.ClusterKeySlot(ctx, stream).Val())
	source, target := nodes[from], nodes[to]
	require.NoError(t, target.client.Do(ctx, "cluster", "setslot", slot, "importing", source.id).Err())
	require.NoError(t, source.client.Do(ctx, "cluster", "setslot", slot, "migrating", target.id).Err())
	host, port, _ := net.SplitHostPort(target.addr)
	until(t, func() bool { // keys may be made while they move
		keys, err := source.client.ClusterGetKeysInSlot(ctx, slot, 100).Result()
		require.NoError(t, err)
		if len(keys) > 0 {
			args := []any{"migrate", host, port, "", 0, 5000, "keys"}
			for _, key := range keys {
				args = append(args, key)
			}
			require.NoError(t, source.client.Do(ctx, args...).Err())
		}
		return len(keys) == 0
	})
	for _, n := range []node{target, source, nodes[0]} {
		require.NoError(t, n.client.Do(ctx, "cluster", "setslot", slot, "node", target.id).Err())
	}
}
