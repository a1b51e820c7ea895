package redisstream

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// TestCluster runs on a cluster of one node: it refuses commands and scripts over several slots as any does.
func TestCluster(t *testing.T) {
	server := startRedis(t, "--cluster-enabled", "yes")
	ctx := context.Background()
	single := connect(t, server.addr)
	require.NoError(t, single.ClusterAddSlotsRange(ctx, 0, 16383).Err())
	require.Eventually(t, func() bool {
		return strings.Contains(single.ClusterInfo(ctx).Val(), "cluster_state:ok")
	}, patience, 10*time.Millisecond)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.addr}})
	defer func() { _ = client.Close() }()

	for _, stream := range []string{"plain", "{tag}:stream"} {
		t.Run(stream, func(t *testing.T) {
			ids := xadd(t, client, stream, 3)
			claimed(t, client, stream, "c1", 3)
			more := xadd(t, client, stream, 5)
			options := quick(client)
			options.Retain, options.Claim.MinIdle = time.Hour, 300*time.Millisecond
			subscriber, messages := subscribe(t, options, stream)
			for _, id := range append(ids, more...) {
				msg := receive(t, messages)
				require.Equal(t, id, msg.Metadata[delivery.KeyPosition])
				none(t, messages, 120*time.Millisecond*time.Duration(len(ids))/3)
				msg.Ack()
				if id == ids[2] {
					break
				}
			}
			all := receiveAll(t, messages, len(more))
			began := time.Now()
			require.Eventually(t, func() bool { // a heartbeat has made them younger than their delivery
				elapsed := time.Since(began)
				return pending(t, client, stream)[0].Idle < elapsed-10*time.Millisecond
			}, patience, 10*time.Millisecond)
			for source := range subscriber.sources {
				require.NoError(t, source.tidy(ctx))
			}
			all[0].Ack()
			floors, err := subscriber.Floors(ctx, stream)
			require.NoError(t, err)
			require.Len(t, floors, 1)
			require.NoError(t, subscriber.Close())
			require.Len(t, pending(t, client, stream), len(more)-1)
		})
	}
	subscriber, err := newSubscriber(quick(client))
	require.NoError(t, err)
	_, err = subscriber.Subscribe(ctx, "a}b")
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}

// TestClientReader reads as in a cluster, in both protocols.
func TestClientReader(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		for _, protocol := range []int{2, 3} {
			options := quick(client)
			options.open = func() reader {
				return &clientReader{redis.NewClient(&redis.Options{Addr: client.Options().Addr, Protocol: protocol})}
			}
			stream := fmt.Sprint("s", protocol)
			subscriber, messages := subscribe(t, options, stream)
			ids := xadd(t, client, stream, 30)
			all := receiveAll(t, messages, 30)
			require.Equal(t, ids, positions(all))
			for _, msg := range all {
				msg.Ack()
			}
			require.NoError(t, subscriber.Close())
			require.Empty(t, pending(t, client, stream))
		}
	})
}
