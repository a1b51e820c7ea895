package kafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

const sample = `{"userId":"u1234567","app":"Google Chrome","title":"Pull request #12 · leat","url":"https://github.com/some/where?tab=1","duration":12.0,"session":3}`

// fill publishes n messages in calls of 500.
func fill(b *testing.B, publisher message.Publisher, topic string, n int) time.Duration {
	began := time.Now()
	for done := 0; done < n; done += 500 {
		batch := make([]*message.Message, min(500, n-done))
		for i := range batch {
			batch[i] = message.NewMessage(fmt.Sprint(done+i), []byte(sample))
		}
		require.NoError(b, publisher.Publish(topic, batch...))
	}
	return time.Since(began)
}

// drainAll acks n messages, each in a goroutine of its own, as the router does.
func drainAll(b *testing.B, subscriber message.Subscriber, topic string, n int) time.Duration {
	messages, err := subscriber.Subscribe(context.Background(), topic)
	require.NoError(b, err)
	(<-messages).Ack() // the group has met
	began := time.Now()
	for range n - 1 {
		msg := <-messages
		go msg.Ack()
	}
	return time.Since(began)
}

// BenchmarkAgainstStock compares with the stock adapter, each with one subscription to the same messages.
func BenchmarkAgainstStock(b *testing.B) {
	const n, few = 50_000, 5_000
	brokers := cluster(b)
	config := quick(brokers)
	config.InFlight, config.MaxAhead = 2000, 100_000
	for range b.N {
		topic := fmt.Sprint("bench-", time.Now().UnixNano())
		broker := join(b, dial(b, config), topic)
		publisher, subscriber := stockAdapter(b, brokers, topic+"-stock")
		write := float64(n) / fill(b, broker.Publisher, topic, n).Seconds()
		read := float64(n) / drainAll(b, broker.Subscriber, topic, n).Seconds()
		stockRead := float64(few) / drainAll(b, subscriber, topic, few).Seconds()
		stockWrite := float64(few) / fill(b, publisher, topic+"-written", few).Seconds()
		require.NoError(b, broker.Subscriber.Close())
		require.NoError(b, subscriber.Close())
		require.NoError(b, publisher.Close())
		b.ReportMetric(read, "read/s")
		b.ReportMetric(stockRead, "stock-read/s")
		b.ReportMetric(read/stockRead, "read-ratio")
		b.ReportMetric(write, "write/s")
		b.ReportMetric(write/stockWrite, "write-ratio")
	}
}
