package redis

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
)

// What other programs read in a cluster: the names of the keys, which lie on one slot.
func TestClusterKeys(t *testing.T) {
	nodes := startCluster(t, 3)
	client := open(t, Config{Mode: Cluster, Addr: addrs(nodes)}).(*redis.ClusterClient)
	boards, ctx := NewBoards(client), t.Context()
	_, err := boards.Apply(ctx, []activity.Count{one(1, 12.5, total, activity.BoardKey{Board: "Video {Editing}", Period: "2025-W42"})})
	require.NoError(t, err)
	require.NoError(t, boards.RaiseFloor(ctx, stream, delivery.Position{Major: 1001}))
	require.NoError(t, boards.RaiseFloor(ctx, "{elsewhere}:stream", delivery.Position{Major: 1}))

	owner, _ := owners(t, client, nodes)
	for _, node := range nodes {
		if node != owner {
			require.Empty(t, keys(t, connect(t, node.addr)))
		}
	}
	require.ElementsMatch(t, []string{
		"leaderboard:{leat}:total:2025-10-14", "leaderboard:{leat}:Video {Editing}:2025-W42",
		"leat:{leat}:activity:floor", "leat:{leat}:activity:counted:" + stream,
		"leat:{leat}:activity:reports:" + stream, "leat:{leat}:activity:reports:{elsewhere}:stream",
	}, keys(t, connect(t, owner.addr)))
	require.Equal(t, 12.5, client.ZScore(ctx, "leaderboard:{leat}:total:2025-10-14", "u1").Val())
}

// The node of the boards gets its script again when it lost it, also while another server of the cluster is down: the script
// goes where it is needed, and nowhere else.
func TestClusterScriptFlush(t *testing.T) {
	nodes := startNodes(t, 4)
	for n, slots := range [][2]int{{0, 8000}, {8001, 12000}, {12001, 16383}} {
		require.NoError(t, connect(t, nodes[n].addr).ClusterAddSlotsRange(t.Context(), slots[0], slots[1]).Err())
	}
	inOrder(t, nodes, nodes[:3])
	client := open(t, Config{Mode: Cluster, Addr: addrs(nodes)}).(*redis.ClusterClient)
	owner, other := owners(t, client, nodes[:3])
	replica := connect(t, nodes[3].addr)
	require.NoError(t, replica.ClusterReplicate(t.Context(), id(t, other)).Err())
	follows(t, nodes[3])
	until(t, 20*time.Second, "the client knows the replica", func() bool {
		var known atomic.Int32
		_ = client.ForEachSlave(t.Context(), func(context.Context, *redis.Client) error { known.Add(1); return nil })
		return known.Load() == 1
	})
	nodes[3].kill()

	boards, ctx := NewBoards(client), t.Context()
	for n := range 3 {
		_, err := boards.Apply(ctx, []activity.Count{one(2*n, 1, total), one(2*n+1, 1, total)})
		require.NoError(t, err)
		require.NoError(t, boards.RaiseFloor(ctx, stream, delivery.Position{Major: uint64(n) + 1}))
		require.NoError(t, connect(t, owner.addr).ScriptFlush(ctx).Err())
	}
	require.Equal(t, 6.0, client.ZScore(ctx, boards.names.board(total), "u1").Val())
	require.Contains(t, connect(t, other.addr).Info(ctx, "memory").Val(), "number_of_cached_scripts:0")
}

// A caller that asks a cluster through a client of one node learns that no message is at fault.
func TestClusterThroughOneNode(t *testing.T) {
	nodes := startCluster(t, 3)
	refused := 0
	for _, node := range nodes {
		_, err := NewBoards(connect(t, node.addr)).Apply(t.Context(), []activity.Count{one(1, 1, total)})
		require.Error(t, err)
		if strings.Contains(err.Error(), "CROSSSLOT") || strings.Contains(err.Error(), "MOVED") {
			refused++
		}
		require.ErrorContains(t, err, "count on the leaderboards")
	}
	require.Equal(t, len(nodes), refused)
}
