package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
)

// rival is a broker that leat can use, and its stock adapter.
type rival struct {
	name string
	// open connects leat's backend, and makes a stock subscriber of the group. Both end with drop, which removes the topic.
	open func(ctx context.Context, topic, group string) (match, error)
}

type match struct {
	backend pubsub.Backend
	fill    func(topic string, messages ...*message.Message) error
	stock   func() (message.Subscriber, error)
	drop    func()
}

// brokers compares, on each broker that answers, the stock subscriber with leat's, both behind a router with a handler that does nothing.
func brokers(ctx context.Context, size sizes) []comparison {
	rivals := []rival{{"gochannel", openGoChannel}}
	for _, outside := range []struct {
		rival
		uri string
	}{
		{rival{"nats", openNATS}, natsURL()}, {rival{"amqp", openAMQP}, rabbitURI()}, {rival{"sql", openSQL}, postgresURI()},
	} {
		if err := reach(ctx, outside.uri); err != nil {
			fmt.Printf("%s is left out: %v\n", outside.name, err)
			continue
		}
		rivals = append(rivals, outside.rival)
	}
	rivals = append(rivals, rival{"kafka (a fake broker in this process)", openKafka})
	all := make([]comparison, len(rivals))
	for n, r := range rivals {
		all[n] = comparison{"broker " + r.name + ", no-op handler", []contender{
			{"stock adapter, one subscription", func(ctx context.Context) (float64, error) { return r.run(ctx, size.brokerStock, true) }},
			{"leat", func(ctx context.Context) (float64, error) { return r.run(ctx, size.broker, false) }},
		}}
	}
	return all
}

// run publishes n messages and consumes them.
func (r rival) run(ctx context.Context, n int, stock bool) (float64, error) {
	topic := fmt.Sprintf("leat_bench_%d", time.Now().UnixNano())
	m, err := r.open(ctx, topic, group)
	if err != nil {
		return 0, err
	}
	defer m.drop()
	if !stock {
		broker, err := m.backend.Broker(pubsub.Options{Group: group, CloseTimeout: time.Second})
		if err != nil {
			return 0, err
		}
		return handle(ctx, broker.Subscriber, topic, n, func() error { return m.backend.Publisher().Publish(topic, envelopes(n)...) })
	}
	subscriber, err := m.stock()
	if err != nil {
		return 0, err
	}
	return handle(ctx, subscriber, topic, n, func() error { return m.fill(topic, envelopes(n)...) })
}

// handle fills the topic, and measures from the start of the router until all messages are handled: not every broker tells of acks.
func handle(ctx context.Context, subscriber message.Subscriber, topic string, n int, fill func() error) (float64, error) {
	if first, ok := subscriber.(message.SubscribeInitializer); ok {
		if err := first.SubscribeInitialize(topic); err != nil {
			return 0, err
		}
	}
	if err := fill(); err != nil {
		return 0, err
	}
	return route(ctx, subscriber, topic, n, func() error { return nil })
}

func natsURL() string { return environment("LEAT_BENCH_NATS_URL", "nats://127.0.0.1:4222") }
func rabbitURI() string {
	return environment("LEAT_BENCH_AMQP_URI", "amqp://guest:guest@127.0.0.1:5672/")
}
func postgresURI() string {
	return environment("LEAT_BENCH_POSTGRES_URI", "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable")
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// reach reports whether somebody listens where the URI says.
func reach(ctx context.Context, uri string) error {
	at, err := url.Parse(uri)
	if err != nil {
		return err
	}
	conn, err := dialer.DialContext(ctx, "tcp", at.Host)
	if err != nil {
		return err
	}
	return conn.Close()
}

var quiet = slog.New(slog.DiscardHandler)
