package gochannel

import (
	"context"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	stock "github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"leat/adapters/pubsub"
)

// BenchmarkBroker publishes 100 messages of 300 bytes a call, and receives and acks each.
func BenchmarkBroker(b *testing.B) {
	b.Run("leat", func(b *testing.B) {
		config := quick()
		config.InFlight, config.Buffer = 2000, 100000
		backend := New(config, nil)
		broker, err := backend.Broker(pubsub.Options{Group: "g"})
		if err != nil {
			b.Fatal(err)
		}
		pass(b, broker.Publisher, broker.Subscriber)
		_ = broker.Subscriber.Close()
		_ = backend.Close()
	})
	b.Run("stock", func(b *testing.B) {
		broker := stock.NewGoChannel(stock.Config{OutputChannelBuffer: 2000}, nil)
		pass(b, broker, broker)
		_ = broker.Close()
	})
}

func pass(b *testing.B, publisher message.Publisher, subscriber message.Subscriber) {
	messages, err := subscriber.Subscribe(context.Background(), "topic")
	if err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 300)
	failed := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		defer close(failed)
		for left := b.N; left > 0; {
			chunk := make([]*message.Message, min(left, 100))
			for n := range chunk {
				chunk[n] = message.NewMessage(watermill.NewUUID(), payload)
			}
			if err := publisher.Publish("topic", chunk...); err != nil {
				failed <- err
				return
			}
			left -= len(chunk)
		}
	}()
	for range b.N {
		(<-messages).Ack()
	}
	b.StopTimer()
	if err := <-failed; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
