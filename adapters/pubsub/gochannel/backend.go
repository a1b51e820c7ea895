package gochannel

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/fault"
)

// Backend holds the topics. Everything that it makes sees the same ones; two Backends share nothing.
type Backend struct {
	config Config
	wrong  error // with the configuration
	log    *slog.Logger
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	topics map[string]*topic
}

var _ pubsub.Backend = (*Backend)(nil)

// New makes a broker without topics; they come with their first use. If the configuration is wrong, whatever is done with it is an
// error of kind Invalid.
func New(config Config, logger *slog.Logger) *Backend {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Backend{config: config, wrong: config.check(), log: logger, closed: make(chan struct{}), topics: make(map[string]*topic)}
}

func (b *Backend) topic(name string) *topic {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.topics[name]
	if !ok {
		t = newTopic(name, &b.config, b.log, b.closed)
		b.topics[name] = t
	}
	return t
}

// Capabilities implements pubsub.Backend.
func (b *Backend) Capabilities() pubsub.Capabilities {
	return pubsub.Capabilities{
		InFlight: b.config.InFlight, NackDelay: true, Order: pubsub.OrderTopic, Lag: true, MaxMessage: b.config.BufferBytes,
	}
}

// CheckTopic implements pubsub.Backend.
func (*Backend) CheckTopic(string) error { return nil }

// Ping implements pubsub.Backend. It fails once the backend is closed.
func (b *Backend) Ping(context.Context) error {
	select {
	case <-b.closed:
		return fault.Unavailablef("gochannel: the broker is closed")
	default:
		return b.wrong
	}
}

// Publisher implements pubsub.Backend.
func (b *Backend) Publisher() pubsub.Publisher {
	return pubsub.Flat{Publisher: &publisher{backend: b}}
}

// Broker implements pubsub.Backend.
func (b *Backend) Broker(options pubsub.Options) (pubsub.Broker, error) {
	if b.wrong != nil {
		return pubsub.Broker{}, b.wrong
	}
	prefix := options.Namespace
	if prefix != "" {
		prefix += ":"
	}
	subscriber, err := inflight.NewSubscriber(inflight.Options{
		Options: options, Backend: "gochannel", InFlight: b.config.InFlight, Nack: b.config.Nack,
	}, func(name string, s *inflight.Subscription[*entry]) (inflight.Source[*entry], error) {
		return &source{Subscription: s, topic: b.topic(name), namespace: prefix + name}, nil
	})
	if err != nil {
		return pubsub.Broker{}, err
	}
	view := view{b, subscriber, prefix, options}
	return pubsub.Broker{
		Publisher: b.Publisher(), Subscriber: subscriber, Floors: view, Lag: view, Capabilities: b.Capabilities(),
	}, nil
}

// Close ends the topics. What is in them is lost: messages that a group has not acked, and those of topics that nobody ever read. How
// many is logged in one line.
func (b *Backend) Close() error {
	b.once.Do(func() {
		close(b.closed)
		b.mu.Lock()
		defer b.mu.Unlock()
		unacked, unread := 0, 0
		var topics []string
		for name, t := range b.topics {
			n, read := t.end()
			if n > 0 {
				topics = append(topics, name)
			}
			if read {
				unacked += n
			} else {
				unread += n
			}
		}
		if unacked+unread > 0 {
			slices.Sort(topics)
			b.log.Warn("messages are lost with the process, since gochannel keeps them in memory alone", "unacked", unacked, "in_topics_that_nobody_reads", unread, "topics", topics)
		}
	})
	return nil
}

// end returns how many messages the topic holds, and whether a group reads it.
func (t *topic) end() (n int, read bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tellDrops()
	return t.count, len(t.groups) > 0
}
