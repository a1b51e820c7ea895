package inflight

import (
	"log/slog"
	"time"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

// Nack says when a nacked message is delivered again. Every backend has it in its configuration.
type Nack struct {
	Delay    time.Duration `config:"delay" default:"1s" min:"1ms" max:"1h" doc:"wait before a nacked message is delivered again; doubled with each nack, plus up to half of it at random"`
	MaxDelay time.Duration `config:"max_delay" default:"1m" min:"1ms" max:"24h" doc:"longest wait before a nacked message is delivered again"`
}

// Options is what holds for all subscriptions of a subscriber.
type Options struct {
	pubsub.Options
	// Backend is its name, for errors and the log: "nats".
	Backend string
	// InFlight is how many messages of one subscription may be without a confirmed outcome.
	InFlight int
	Nack     Nack
	// MaxDeliveries is how often a message may be delivered without an outcome before it runs alone; 0 is without limit.
	MaxDeliveries int
	// MaxHold is how long a message may be held before a nack hands it back to the broker; 0 means for ever.
	MaxHold time.Duration
	// Positions says that Item.ID is a position.
	Positions bool
}

// cleanupTimeout bounds all that a stop still asks of the broker when the handlers are done.
func (o *Options) cleanupTimeout() time.Duration {
	return max(time.Second, min(5*time.Second, o.CloseTimeout))
}

// prepare checks the options and fills in what may be absent.
func (o *Options) prepare() error {
	switch {
	case o.Group == "":
		return fault.Invalidf("options", "%s: no consumer group", o.Backend)
	case o.InFlight < 1 || o.MaxDeliveries < 0:
		return fault.Invalidf("options", "%s: in_flight must be at least 1, max_deliveries not below 0", o.Backend)
	case o.Nack.Delay <= 0 || o.MaxHold < 0 || o.CloseTimeout < 0:
		return fault.Invalidf("options", "%s: nack.delay must be above 0, max_hold and the close timeout not below", o.Backend)
	}
	o.Nack.MaxDelay = max(o.Nack.MaxDelay, o.Nack.Delay)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, pubsub.Event, int) {}
	}
	return nil
}
