package pubsubtest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

var errAway = fault.Unavailablef("memory: the broker is away")

const largest = 1 << 20

// backend is a connection to the broker in memory.
type backend struct {
	memory *memory
	link   *link
}

func (b *backend) Capabilities() pubsub.Capabilities {
	f := b.memory.faults
	return pubsub.Capabilities{
		InFlight: cmp.Or(f.promises, inFlight), Positions: !f.timeFloor, NackDelay: true, DeliveryCount: true, Order: pubsub.OrderTopic,
		Durable: true, Shared: true, External: true, Lag: true, MaxMessage: largest, MaxHold: f.maxHold,
	}
}

func (b *backend) CheckTopic(string) error { return nil }

func (b *backend) Ping(context.Context) error { return b.link.err() }

func (b *backend) Close() error { return nil }

func (b *backend) Publisher() pubsub.Publisher {
	p := &publisher{b}
	if b.memory.faults.fieldsNested {
		return nested{pubsub.Flat{Publisher: p}}
	}
	return pubsub.Flat{Publisher: p}
}

// nested wraps flat fields in one more object.
type nested struct{ pubsub.Flat }

func (n nested) PublishFields(ctx context.Context, topic string, entries ...[]pubsub.Field) error {
	for _, entry := range entries {
		msg := message.NewMessageWithContext(ctx, "", []byte(`{"fields":{"`+entry[0].Name+`":""}}`))
		if err := n.Publish(topic, msg); err != nil {
			return err
		}
	}
	return nil
}

func (b *backend) Broker(options pubsub.Options) (pubsub.Broker, error) {
	f := b.memory.faults
	if f.ignoresGate {
		options.Gate = nil
	}
	if f.forgetsNotes {
		options.Notes = nil
	}
	if f.closesHard {
		options.CloseTimeout = time.Millisecond
	}
	nack := inflight.Nack{Delay: cmp.Or(f.nackAfter, nackDelay), MaxDelay: time.Second}
	subscriber, err := inflight.NewSubscriber(inflight.Options{
		Options: options, Backend: "memory", InFlight: cmp.Or(f.window, inFlight), Nack: nack, MaxDeliveries: cmp.Or(f.maxDeliveries, 2),
		Positions: !f.timeFloor, MaxHold: f.hold,
	}, func(topic string, s *inflight.Subscription[int]) (inflight.Source[int], error) {
		return &source{Subscription: s, backend: b, topic: topic, group: options.Group, namespace: options.Namespace}, nil
	})
	if err != nil {
		return pubsub.Broker{}, err
	}
	view := view{b, subscriber, options}
	var reader message.Subscriber = subscriber
	if f.onNack != nil {
		reader = &meddler{Subscriber: subscriber, onNack: f.onNack}
	}
	if f.doubled {
		reader = doubled{subscriber}
	}
	return pubsub.Broker{Publisher: b.Publisher(), Subscriber: reader, Floors: view, Lag: view, Capabilities: b.Capabilities()}, nil
}

type publisher struct{ *backend }

func (p *publisher) Publish(name string, messages ...*message.Message) error {
	f := p.memory.faults
	if err := p.link.err(); err != nil {
		switch {
		case f.publishSwallows:
			return nil
		case f.publishInternal:
			return errors.New("memory: connection reset")
		}
		return err
	}
	for _, msg := range messages {
		if len(msg.Payload) > largest && !f.anySize {
			return fault.Invalidf("too_large", "memory: %d bytes are more than the limit of %d", len(msg.Payload), largest)
		}
		kept := msg.Copy()
		if f.lowerKeys {
			kept.Metadata = message.Metadata{}
			for key, value := range msg.Metadata {
				kept.Metadata[strings.ToLower(key)] = value
			}
		}
		if f.emptyValues {
			maps.DeleteFunc(kept.Metadata, func(_, value string) bool { return value == "" })
		}
		p.memory.do(func() {
			t := p.memory.topic(name)
			t.log = append(t.log, &entry{message: kept})
		})
	}
	return nil
}

func (p *publisher) Close() error { return nil }

// view is what a group sees of the broker.
type view struct {
	*backend
	subscriber *inflight.Subscriber[int]
	options    pubsub.Options
}

func (v view) Floors(_ context.Context, name string) (map[string]delivery.Position, error) {
	f := v.memory.faults
	source := v.options.Namespace + ":" + name
	if f.timeFloor {
		oldest := v.subscriber.Oldest(name)
		if f.floorForgets {
			oldest = time.Time{}
		}
		return map[string]delivery.Position{source: pubsub.TimeFloor(time.Now(), oldest, v.options.DedupWindow)}, nil
	}
	v.memory.mu.Lock()
	c := v.memory.cursor(name, v.options.Group)
	floor := c.next
	if !f.floorPasses {
		for i := range c.pending {
			floor = min(floor, i)
		}
	}
	v.memory.mu.Unlock()
	if f.floorStays {
		floor = 0
	}
	return map[string]delivery.Position{source: {Major: uint64(floor + 1)}}, nil
}

func (v view) Lag(_ context.Context, name string) (pubsub.Lag, error) {
	f := v.memory.faults
	if v.memory.topics[name] == nil && f.lagFails {
		return pubsub.Lag{}, errors.New("memory: no such topic")
	}
	v.memory.mu.Lock()
	defer v.memory.mu.Unlock()
	c := v.memory.cursor(name, v.options.Group)
	lag := pubsub.Lag{Waiting: int64(len(v.memory.topic(name).log) - c.next + len(c.returned)), Pending: int64(len(c.pending))}
	if f.lagForgets {
		lag.Pending = 0
	}
	return lag, nil
}

// position returns where the message of an index stands.
func (m *memory) position(index, lent int) string {
	switch {
	case m.faults.positionsFall:
		index = 1_000_000 - index
	case m.faults.positionsMove:
		index = index*100 + lent
	}
	return strconv.Itoa(index + 1)
}
