package kafka

import (
	"runtime"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// TestHeldAlone holds one message of each batch that is read: the others of the batch must not stay in memory with it.
func TestHeldAlone(t *testing.T) {
	const batches, size, payload = 24, 60, 16 << 10
	config := quick(fake(t).ListenAddrs())
	config.Topic.Partitions, config.MaxAhead = 1, batches*size
	backend := dial(t, config)
	messages, err := join(t, backend, "g").Subscriber.Subscribe(t.Context(), "held")
	require.NoError(t, err)
	before := heap()
	held := make([]*message.Message, 0, batches)
	for range batches {
		batch := make([]*message.Message, size)
		for n := range batch { // the fake broker keeps them compressed
			batch[n] = message.NewMessage(watermill.NewUUID(), []byte(strings.Repeat("x", payload)))
		}
		require.NoError(t, backend.Publisher().Publish("held", batch...))
		held = append(held, receive(t, messages))
		for range size - 1 {
			receive(t, messages).Ack()
		}
	}
	require.Less(t, heap()-before, int64(batches*size*payload/2), "bytes")
	for _, msg := range held {
		msg.Ack()
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools keep goes with the second
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
