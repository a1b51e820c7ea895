package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	stock "github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
)

const (
	stream = "bench"
	group  = "bench"
)

// consume compares subscribers whose handlers do nothing.
func consume(s *server, size sizes) comparison {
	return comparison{"consume, no-op handler", []contender{
		{"bare loop: XREADGROUP COUNT 500, fields decoded, XACK", func(ctx context.Context) (float64, error) {
			return s.bareLoop(ctx, size.consume)
		}},
		{"leat: subscriber and router", func(ctx context.Context) (float64, error) { return s.leatNoop(ctx, size.consume) }},
		{"stock subscriber and router", func(ctx context.Context) (float64, error) { return s.stockNoop(ctx, size.stock) }},
	}}
}

func (s *server) bareLoop(ctx context.Context, n int) (float64, error) {
	if err := fillEnvelopes(ctx, s.client, stream, n); err != nil {
		return 0, err
	}
	if err := s.client.XGroupCreate(ctx, stream, group, "0").Err(); err != nil {
		return 0, err
	}
	started := time.Now()
	for done := 0; done < n; {
		streams, err := s.client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: group, Consumer: "bare", Streams: []string{stream, ">"}, Count: 500, Block: time.Second,
		}).Result()
		if err != nil {
			return 0, err
		}
		ids := make([]string, len(streams[0].Messages))
		for i, entry := range streams[0].Messages {
			ids[i] = entry.ID
		}
		if err := s.client.XAck(ctx, stream, group, ids...).Err(); err != nil {
			return 0, err
		}
		done += len(ids)
	}
	return perSecond(n, started), nil
}

func (s *server) leatNoop(ctx context.Context, n int) (float64, error) {
	if err := fillEnvelopes(ctx, s.client, stream, n); err != nil {
		return 0, err
	}
	broker, err := s.backend().Broker(pubsub.Options{Group: group, CloseTimeout: time.Second})
	if err != nil {
		return 0, err
	}
	return s.routeNoop(ctx, broker.Subscriber, n)
}

func (s *server) stockNoop(ctx context.Context, n int) (float64, error) {
	if err := fillEnvelopes(ctx, s.client, stream, n); err != nil {
		return 0, err
	}
	// Its Close closes the client that it was given.
	subscriber, err := stock.NewSubscriber(stock.SubscriberConfig{
		Client: redis.NewClient(&redis.Options{Addr: s.addr}), ConsumerGroup: group, Consumer: "stock",
	}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	return s.routeNoop(ctx, subscriber, n)
}

// routeNoop measures until every ack has reached Redis.
func (s *server) routeNoop(ctx context.Context, subscriber message.Subscriber, n int) (float64, error) {
	return route(ctx, subscriber, stream, n, func() error { return s.waitAcked(ctx, stream, group, int64(n)) })
}

// route runs a router with one handler that does nothing, until n messages are handled and done returns.
func route(ctx context.Context, subscriber message.Subscriber, topic string, n int, done func() error) (float64, error) {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 10 * time.Second}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	var handled atomic.Int64
	all := make(chan struct{})
	router.AddConsumerHandler("noop", topic, subscriber, func(*message.Message) error {
		if handled.Add(1) == int64(n) {
			close(all)
		}
		return nil
	})
	ended := make(chan error, 1)
	started := time.Now()
	go func() { ended <- router.Run(ctx) }()
	select {
	case <-all:
	case err := <-ended:
		return 0, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	if err := done(); err != nil {
		return 0, err
	}
	rate := perSecond(n, started)
	if err := router.Close(); err != nil {
		return 0, err
	}
	return rate, <-ended
}
