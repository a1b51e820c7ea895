package nats

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leat/handlers/fault"
)

// durable is the consumer of a group on the server, as far as reading needs to know it.
type durable struct {
	stream   string
	born     time.Time // of the stream
	name     string
	ackWait  time.Duration // after which the server delivers a message again that it has not heard of
	maxFetch int           // most messages that a pull may ask for
}

// durable returns the consumer of a group. If there is none, it creates one that begins with the oldest message. It changes none,
// and returns an error of kind Invalid if one cannot be used.
func (b *Backend) durable(ctx context.Context, topic, group string, log *slog.Logger) (d durable, created bool, err error) {
	stream, createdStream, err := b.stream(ctx, topic)
	if err != nil {
		return durable{}, false, err
	}
	info := stream.CachedInfo()
	name := durableName(group, topic, info.Config.Subjects)
	if len(name) > maxName {
		return durable{}, false, fault.Invalidf("group", "nats: the name of consumer group %q is too long for topic %q", group, topic)
	}
	consumer, err := stream.Consumer(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		created = true
		consumer, err = stream.CreateConsumer(ctx, b.consumerConfig(name, topic))
		if errors.Is(err, jetstream.ErrConsumerExists) { // another process was quicker, with another configuration
			consumer, err = stream.Consumer(ctx, name)
		}
	case errors.Is(err, jetstream.ErrNotPullConsumer):
		err = incompatible(name, topic, "is a push consumer")
	}
	if err != nil {
		return durable{}, false, err
	}
	config := consumer.CachedInfo().Config
	if err := b.usable(&config, topic, info.Config.Subjects, log); err != nil {
		return durable{}, false, err
	}
	d = durable{stream: info.Config.Name, born: info.Created, name: name, ackWait: config.AckWait, maxFetch: b.config.Fetch}
	for _, wait := range config.BackOff {
		d.ackWait = min(d.ackWait, wait)
	}
	if config.MaxRequestBatch > 0 {
		d.maxFetch = min(d.maxFetch, config.MaxRequestBatch)
	}
	return d, created || createdStream, nil
}

func (b *Backend) consumerConfig(name, topic string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable: name, FilterSubject: topic, DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: b.config.AckWait, MaxDeliver: -1, MaxAckPending: max(b.config.MaxAckPending, b.config.InFlight),
	}
}

func incompatible(name, topic, problem string) error {
	return fault.Invalidf("consumer", "nats: durable consumer %q of topic %q %s, which leat cannot use: delete it, or choose another consumer group", name, topic, problem)
}

// usable reports why a consumer cannot be used, and warns of what differs from the configuration.
func (b *Backend) usable(config *jetstream.ConsumerConfig, topic string, subjects []string, log *slog.Logger) error {
	filters := config.FilterSubjects
	if config.FilterSubject != "" {
		filters = append(slices.Clone(filters), config.FilterSubject)
	}
	alone := len(subjects) == 1 && subjects[0] == topic
	problem := ""
	switch {
	case config.AckPolicy != jetstream.AckExplicitPolicy:
		problem = "has ack policy " + config.AckPolicy.String() + ", not explicit"
	case config.MaxDeliver > 0:
		problem = "has a max_deliver, after which the server gives messages up that may only have been unlucky"
	case config.HeadersOnly:
		problem = "delivers headers without payload"
	case config.PriorityPolicy != jetstream.PriorityPolicyNone:
		problem = "has a priority policy"
	case len(filters) == 0 && !alone, len(filters) > 1, len(filters) == 1 && filters[0] != topic:
		problem = "is for other subjects"
	}
	if problem != "" {
		return incompatible(config.Durable, topic, problem)
	}
	if config.AckWait != b.config.AckWait {
		log.Warn("the durable consumer has another ack_wait than the configuration; its own counts", "consumer", config.Durable, "ack_wait", config.AckWait, "configured", b.config.AckWait)
	}
	if config.MaxAckPending > 0 && config.MaxAckPending < b.config.InFlight {
		log.Warn("the durable consumer has a max_ack_pending below in_flight, so batches may not fill", "consumer", config.Durable, "max_ack_pending", config.MaxAckPending, "in_flight", b.config.InFlight)
	}
	return nil
}
