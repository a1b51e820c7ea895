package redisstream

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

// Backend is one Redis: a server, a master that Sentinel watches, or a cluster.
type Backend struct {
	client    redis.UniversalClient
	config    Config
	timeout   time.Duration
	log       *slog.Logger
	publisher *Publisher
}

var _ pubsub.Backend = (*Backend)(nil)

// NewBackend makes a backend of a client: a *redis.Client, also one of redis.NewFailoverClient, or a *redis.ClusterClient. The client
// is shared and stays the caller's to close, after the backend. It should have ContextTimeoutEnabled, or a server that hangs can hold a
// stop up, and in a cluster a short ClusterStateReloadInterval, or a master that died is asked for a minute more. Timeout bounds each round trip of a ping or a publish that has no earlier deadline; 0 leaves that to the client.
// NewBackend does not speak to Redis. The logger may be nil.
func NewBackend(client redis.UniversalClient, config Config, timeout time.Duration, logger *slog.Logger) *Backend {
	return &Backend{
		client: client, config: config, timeout: timeout, log: logger,
		publisher: NewPublisher(client, PublisherOptions{Timeout: timeout}),
	}
}

// mostMessage is the longest value that Redis takes (proto-max-bulk-len, as it comes).
const mostMessage = 512 << 20

// Capabilities implements pubsub.Backend.
func (b *Backend) Capabilities() pubsub.Capabilities {
	return pubsub.Capabilities{
		InFlight: b.config.InFlight, Positions: true, NackDelay: true, DeliveryCount: true, Order: pubsub.OrderTopic,
		Durable: true, Shared: true, External: true, Lag: true, MaxMessage: mostMessage,
	}
}

// Broker returns the streams as one consumer group sees them. Where the options have no notes, each stream has its own, in a key
// beside it. Errors are of kind Invalid.
func (b *Backend) Broker(opts pubsub.Options) (pubsub.Broker, error) {
	if opts.Logger == nil {
		opts.Logger = b.log
	}
	subscriber, err := newSubscriber(options{Config: b.config, Options: opts, Client: b.client})
	if err != nil {
		return pubsub.Broker{}, err
	}
	return pubsub.Broker{
		Publisher: b.publisher, Subscriber: subscriber, Floors: subscriber, Lag: subscriber, Capabilities: b.Capabilities(),
	}, nil
}

// Publisher implements pubsub.Backend.
func (b *Backend) Publisher() pubsub.Publisher { return b.publisher }

// CheckTopic implements pubsub.Backend.
func (b *Backend) CheckTopic(topic string) error { return checkTopic(b.client, topic) }

// Ping implements pubsub.Backend.
func (b *Backend) Ping(ctx context.Context) error {
	if b.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.timeout)
		defer cancel()
	}
	err := b.client.Ping(ctx).Err()
	if code, yes := refused(err); yes {
		return fault.Invalidf(code, "redisstream: redis refuses a ping: %w (check user, password and database)", err)
	}
	if err != nil {
		return &fault.Error{Kind: fault.Unavailable, Err: fmt.Errorf("redisstream: ping: %w", err)}
	}
	return nil
}

// Close ends the publisher. The client stays open: it is the caller's.
func (b *Backend) Close() error { return b.publisher.Close() }
