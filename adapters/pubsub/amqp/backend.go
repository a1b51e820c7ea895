package amqp

import (
	"context"
	"log/slog"
	"os"

	rabbit "github.com/rabbitmq/amqp091-go"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/fault"
)

// mostMessage is the longest payload that every supported server takes: 16 MiB by default since RabbitMQ 4.0, more before.
const mostMessage = 16 << 20

// Backend is two connections to one vhost: one to read by and one to publish by, because a server that runs out of memory or disk stops
// listening to connections that publish, and acks must not wait for that.
type Backend struct {
	config    Config
	log       *slog.Logger
	host      string // of this process; names its connections and consumers
	unread    int    // how many bytes that nobody has taken a subscription keeps, about: the server pushes until its consumers end
	reading   *line
	publisher *Publisher
}

var _ pubsub.Backend = (*Backend)(nil)

// Connect connects, so that it knows that the server lets it in. Errors are of kind Invalid if only a person can mend it: a setting
// is wrong, the server refuses the credentials, or there is no such vhost. Else they are of kind Unavailable, and Connect may be called
// again. No error holds the password. The logger may be nil.
func Connect(ctx context.Context, config Config, logger *slog.Logger) (*Backend, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	uri, err := config.address()
	if err != nil {
		return nil, err
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "leat"
	}
	dialer, err := newDialer(config, uri, host)
	if err != nil {
		return nil, err
	}
	b := &Backend{config: config, log: logger, host: host, unread: 64 << 20, reading: newLine(dialer.dial, "read")}
	b.publisher = newPublisher(newLine(dialer.dial, "publish"), config)
	if err := b.Ping(ctx); err != nil {
		return nil, closing(err, b)
	}
	return b, nil
}

func closing(err error, b *Backend) error {
	_ = b.Close()
	return err
}

// Capabilities implements pubsub.Backend.
func (b *Backend) Capabilities() pubsub.Capabilities {
	return pubsub.Capabilities{
		InFlight: b.config.InFlight, NackDelay: true, MaxHold: b.config.MaxHold, DeliveryCount: b.config.Queue.Type == quorum,
		Order: pubsub.OrderNone, Durable: true, Shared: true, External: true, Lag: true, MaxMessage: mostMessage,
	}
}

// Broker implements pubsub.Backend.
func (b *Backend) Broker(options pubsub.Options) (pubsub.Broker, error) {
	if options.Logger == nil {
		options.Logger = b.log
	}
	group := &group{backend: b, options: options}
	subscriber, err := inflight.NewSubscriber(inflight.Options{
		Options: options, Backend: "amqp", InFlight: b.config.InFlight, Nack: b.config.Nack,
		MaxDeliveries: b.config.MaxDeliveries, MaxHold: b.config.MaxHold,
	}, group.open)
	if err != nil {
		return pubsub.Broker{}, err
	}
	group.subscriber = subscriber
	return pubsub.Broker{Publisher: b.publisher, Subscriber: subscriber, Floors: group, Lag: group, Capabilities: b.Capabilities()}, nil
}

// Publisher implements pubsub.Backend.
func (b *Backend) Publisher() pubsub.Publisher { return b.publisher }

// CheckTopic implements pubsub.Backend.
func (*Backend) CheckTopic(topic string) error { return checkName(topic) }

// Ping implements pubsub.Backend. It asks by the connection for reading, and connects it again if need be.
func (b *Backend) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	conn, err := b.reading.get(ctx)
	if err != nil {
		return err
	}
	return failure(conn.onChannel(ctx, func(*rabbit.Channel) error { return nil }), "ping")
}

// Close ends the publisher and both connections. It waits for publishes under way, and about a second for the server.
func (b *Backend) Close() error {
	err := b.publisher.Close()
	b.reading.close()
	if err != nil {
		return fault.Internalf("close", "amqp: close the publisher: %w", err)
	}
	return nil
}
