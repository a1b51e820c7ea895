package main

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	stock "github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

// publish compares publishers.
func publish(s *server, size sizes) comparison {
	return comparison{"publish", []contender{
		{"stock publisher: one XADD a call", func(ctx context.Context) (float64, error) {
			publisher, err := stock.NewPublisher(stock.PublisherConfig{Client: redis.NewClient(&redis.Options{Addr: s.addr})}, watermill.NopLogger{})
			if err != nil {
				return 0, err
			}
			defer publisher.Close()
			return s.publishAll(ctx, publisher, size.publish/5)
		}},
		{"leat: pipelined", func(ctx context.Context) (float64, error) {
			return s.publishAll(ctx, s.backend().Publisher(), size.publish)
		}},
	}}
}

func (s *server) publishAll(ctx context.Context, publisher message.Publisher, n int) (float64, error) {
	if err := s.client.FlushDB(ctx).Err(); err != nil {
		return 0, err
	}
	messages := envelopes(n)
	started := time.Now()
	if err := publisher.Publish(stream, messages...); err != nil {
		return 0, err
	}
	return perSecond(n, started), nil
}
