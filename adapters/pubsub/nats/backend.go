package nats

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// Backend is a connection to NATS. It is safe for concurrent use.
type Backend struct {
	config    Config
	log       *slog.Logger
	conn      *natsgo.Conn
	js        jetstream.JetStream
	publisher *publisher
	hangUp    context.CancelFunc // ends a dial
	refused   atomic.Pointer[refusal]

	mu      sync.Mutex
	streams map[string]string // name of the stream by topic
}

var _ pubsub.Backend = (*Backend)(nil)

// Connect connects to the first server that answers, and asks whether it has JetStream. Errors are of kind Invalid if only a person
// can mend it (credentials, a permission, a certificate, no JetStream), Canceled if ctx ends, else Unavailable. They do not show
// credentials. The logger may be nil.
//
// A connection that breaks later is made again in the background, for ever; meanwhile calls fail as Unavailable.
func Connect(ctx context.Context, config Config, logger *slog.Logger) (*Backend, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	b := &Backend{config: config, log: logger.With("broker", "nats"), streams: make(map[string]string)}
	if err := b.dial(ctx); err != nil {
		return nil, err
	}
	if err := b.Ping(ctx); err != nil {
		_ = b.Close()
		return nil, err
	}
	return b, nil
}

// Broker implements pubsub.Backend.
func (b *Backend) Broker(options pubsub.Options) (pubsub.Broker, error) {
	subscriber, err := inflight.NewSubscriber[entry](inflight.Options{
		Options: options, Backend: "nats", InFlight: b.config.InFlight, Nack: b.config.Nack,
		MaxDeliveries: b.config.MaxDeliveries, Positions: true,
	}, func(topic string, s *inflight.Subscription[entry]) (inflight.Source[entry], error) {
		return newSource(b, topic, s)
	})
	if err != nil {
		return pubsub.Broker{}, err
	}
	group := group{backend: b, options: options, subscriber: subscriber}
	return pubsub.Broker{
		Publisher: b.Publisher(), Subscriber: subscriber, Floors: group, Lag: group, Capabilities: b.Capabilities(),
	}, nil
}

// group is what a broker tells of a consumer group.
type group struct {
	backend    *Backend
	options    pubsub.Options
	subscriber *inflight.Subscriber[entry]
}

// Publisher implements pubsub.Backend.
func (b *Backend) Publisher() pubsub.Publisher {
	return flatPublisher{b.publisher, pubsub.Flat{Publisher: b.publisher}}
}

type flatPublisher struct {
	*publisher
	pubsub.FlatPublisher
}

// Capabilities implements pubsub.Backend. Durable speaks of the streams that leat creates.
func (b *Backend) Capabilities() pubsub.Capabilities {
	return pubsub.Capabilities{
		InFlight: b.config.InFlight, Positions: true, NackDelay: true, DeliveryCount: true, Order: pubsub.OrderTopic,
		Durable: b.config.Stream.Storage != Memory || b.config.Stream.Replicas > 1,
		Shared:  true, External: true, Lag: true, MaxMessage: b.conn.MaxPayload(),
	}
}

// CheckTopic implements pubsub.Backend.
func (*Backend) CheckTopic(topic string) error { return checkTopic(topic) }

// Ping asks JetStream for the state of the account.
func (b *Backend) Ping(ctx context.Context) error {
	ctx, done := b.call(ctx)
	defer done()
	_, err := b.js.AccountInfo(ctx)
	return b.failure(ctx, err, "ask for JetStream")
}

// Close sends what is being published, and ends the connection.
func (b *Backend) Close() error {
	_ = b.publisher.Close()
	b.hangUp()
	b.conn.Close()
	return nil
}
