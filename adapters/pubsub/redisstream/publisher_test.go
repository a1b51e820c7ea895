package redisstream

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

func TestPublishKeepsOrderOverChunks(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		publisher := NewPublisher(client, PublisherOptions{Timeout: patience})
		var all []*message.Message
		for i := range 2*publishChunk + 1 {
			all = append(all, message.NewMessage(fmt.Sprint(i), nil))
		}
		require.NoError(t, publisher.Publish("s"))
		require.NoError(t, publisher.Publish("s", all...))
		entries, err := client.XRange(context.Background(), "s", "-", "+").Result()
		require.NoError(t, err)
		require.Len(t, entries, len(all))
		for i, entry := range entries {
			require.Equal(t, fmt.Sprint(i), entry.Values[uuidField])
		}
	})
}

func TestPublishLargeMessages(t *testing.T) {
	client := connect(t, startRedis(t, "--appendonly", "no").addr)
	publisher := NewPublisher(client, PublisherOptions{})
	large := []byte(strings.Repeat("x", publishBytes))
	require.NoError(t, publisher.Publish("s", message.NewMessage("1", large), message.NewMessage("2", large), message.NewMessage("3", nil)))
	require.EqualValues(t, 3, client.XLen(context.Background(), "s").Val())
}

func TestPublishFields(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		ctx := context.Background()
		publisher := NewPublisher(client, PublisherOptions{})
		require.NoError(t, publisher.PublishFields(ctx, "s", []Field{{Name: "userId", Value: "u1"}, {Name: "app"}}, []Field{{Name: "a", Value: "\xff"}}))
		err := publisher.PublishFields(ctx, "s", []Field{{Name: "a", Value: "b"}}, nil)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
		entries, err := client.XRange(ctx, "s", "-", "+").Result()
		require.NoError(t, err)
		require.Len(t, entries, 2)
		require.Equal(t, map[string]any{"userId": "u1", "app": ""}, entries[0].Values)
		require.Equal(t, map[string]any{"a": "\xff"}, entries[1].Values)
	})
}

func TestPublishErrors(t *testing.T) {
	server := startRedis(t)
	client := connect(t, server.addr)
	publisher := NewPublisher(client, PublisherOptions{})
	msg := message.NewMessage("1", nil)

	reserved := message.NewMessage("1", nil)
	reserved.Metadata[uuidField] = "x"
	require.Equal(t, fault.Invalid, fault.KindOf(publisher.Publish("s", msg, reserved)))
	require.Zero(t, client.Exists(context.Background(), "s").Val())

	require.NoError(t, client.Set(context.Background(), "text", "x", 0).Err())
	require.Equal(t, fault.Internal, fault.KindOf(publisher.Publish("text", msg, msg)))

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Equal(t, fault.Canceled, fault.KindOf(publisher.PublishFields(ctx, "s", []Field{{Name: "a", Value: "b"}})))

	server.kill()
	once := redis.NewClient(&redis.Options{Addr: server.addr, MaxRetries: -1})
	defer func() { _ = once.Close() }()
	require.Equal(t, fault.Unavailable, fault.KindOf(NewPublisher(once, PublisherOptions{Timeout: time.Second}).Publish("s", msg)))

	require.NoError(t, publisher.Close())
	require.NoError(t, publisher.Close())
	require.Equal(t, fault.Canceled, fault.KindOf(publisher.Publish("s", msg)))
}
