package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/fault"
)

// Backend is a connection to a Kafka cluster. One client publishes and asks; each subscription has one of its own.
type Backend struct {
	config Config
	more   []kgo.Opt // of every client, beside what the config says
	log    *slog.Logger
	client *kgo.Client
	admin  *kadm.Client
	topics *topics
	login  login
	once   sync.Once
}

// Connect reaches the cluster and logs in. Errors are of kind Invalid if only a person can mend them (wrong credentials,
// wrong settings), else Unavailable. The logger may be nil.
func Connect(ctx context.Context, config Config, logger *slog.Logger) (*Backend, error) {
	return connect(ctx, config, logger)
}

func connect(ctx context.Context, config Config, logger *slog.Logger, more ...kgo.Opt) (*Backend, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	b := &Backend{config: config, log: logger, more: more}
	client, err := b.open(append(publishing(&config), kgo.WithHooks(&b.login))...)
	if err != nil {
		return nil, err
	}
	b.client, b.admin = client, kadm.NewClient(client)
	b.topics = &topics{backend: b, known: make(map[string]struct{})}
	if err := b.Ping(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return b, nil
}

// open makes a client. It does not speak to a broker yet. Errors are of kind Invalid.
func (b *Backend) open(own ...kgo.Opt) (*kgo.Client, error) {
	options, err := b.config.options(b.log)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(slices.Concat(options, own, b.more)...)
	if err != nil {
		return nil, fault.Invalidf("options", "kafka: %w (check broker.kafka)", err)
	}
	return client, nil
}

// Broker implements pubsub.Backend.
func (b *Backend) Broker(options pubsub.Options) (pubsub.Broker, error) {
	g := &group{backend: b, options: options, sources: make(map[*source]struct{})}
	var err error
	g.subscriber, err = inflight.NewSubscriber(inflight.Options{
		Options: options, Backend: "kafka", InFlight: b.config.InFlight, Nack: b.config.Nack, Positions: true,
	}, g.open)
	if err != nil {
		return pubsub.Broker{}, err
	}
	return pubsub.Broker{Publisher: b.Publisher(), Subscriber: g.subscriber, Floors: g, Lag: g, Capabilities: b.Capabilities()}, nil
}

// Publisher implements pubsub.Backend.
func (b *Backend) Publisher() pubsub.Publisher { return pubsub.Flat{Publisher: &publisher{backend: b}} }

// Capabilities implements pubsub.Backend.
func (b *Backend) Capabilities() pubsub.Capabilities {
	return pubsub.Capabilities{
		InFlight: b.config.InFlight, Positions: true, NackDelay: true,
		Order: pubsub.OrderPartition, Durable: true, Shared: true, External: true, Lag: true,
		MaxMessage: b.config.MaxMessageBytes,
	}
}

// CheckTopic implements pubsub.Backend.
func (*Backend) CheckTopic(topic string) error { return checkName(topic) }

// Ping implements pubsub.Backend.
func (b *Backend) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	if err := b.client.Ping(ctx); err != nil {
		if b.login.hungUp.Load() && errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: %w", errHungUp, err)
		}
		return verdict(err, "reach a broker at %s", strings.Join(b.config.Brokers, ", "))
	}
	return nil
}

// Close implements pubsub.Backend. What is being published fails.
func (b *Backend) Close() error {
	b.once.Do(b.client.Close)
	return nil
}

var errClosed = &fault.Error{Kind: fault.Canceled, Code: "closed", Err: errors.New("kafka: the publisher is closed")}

var _ pubsub.Backend = (*Backend)(nil)
