package redisstream

import (
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/fault"
)

// options is what the subscriptions of one subscriber share.
type options struct {
	Config
	pubsub.Options
	// Client runs everything but blocking reads. It is shared: the subscriber never closes it. Unless it has
	// ContextTimeoutEnabled, a server that hangs can hold a stop up for the client's own timeouts and retries.
	Client redis.UniversalClient
	// open makes the reader of a subscription. Nil: one with the options of Client, which must then be a *redis.Client or a
	// *redis.ClusterClient.
	open func() reader
}

// redisTimeout bounds a round trip to Redis, so that a server that hangs does not hold a stop up.
func (o *options) redisTimeout() time.Duration {
	return max(time.Second, min(5*time.Second, o.CloseTimeout))
}

// prepare checks what inflight does not, and fills in what may be absent.
func (o *options) prepare() error {
	switch {
	case o.Client == nil:
		return fault.Invalidf("options", "redisstream: no Redis client")
	case o.Count < 1 || o.MaxDeliveries < 1:
		return fault.Invalidf("options", "redisstream: count and max_deliveries must be at least 1")
	case o.Block < time.Millisecond || o.Lease < 3*time.Millisecond || o.Claim.MinIdle < 3*time.Millisecond:
		return fault.Invalidf("options", "redisstream: block, lease and claim.min_idle must be at least a few milliseconds")
	case o.Retain < 0:
		return fault.Invalidf("options", "redisstream: retain must not be below 0")
	}
	if o.Consumer == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			return fault.Invalidf("options", "redisstream: the host has no name: set broker.redisstream.consumer")
		}
		o.Consumer = host
	}
	if o.open == nil {
		if o.open = opener(o.Client, o.Block); o.open == nil {
			return fault.Invalidf("options", "redisstream: streams cannot be read through a %T; use a *redis.Client or a *redis.ClusterClient", o.Client)
		}
	}
	if client, ok := o.Client.(*redis.Client); ok {
		if timeout := client.Options().ReadTimeout; timeout <= 0 || timeout > o.redisTimeout() {
			o.Client = client.WithTimeout(o.redisTimeout())
		}
	}
	return nil
}

// shared is what inflight wants to know. Suspects are noted beside their stream, unless the caller has other notes.
func (o *options) shared() inflight.Options {
	shared := inflight.Options{
		Options: o.Options, Backend: "redisstream", InFlight: o.InFlight, Nack: o.Nack, MaxDeliveries: o.MaxDeliveries, Positions: true,
	}
	if shared.Notes == nil {
		shared.Notes = func(topic string) pubsub.Notes { return notes{o.Client, suspectsKey(topic, o.Group)} }
	}
	return shared
}

// origin is what positions of the topic count in.
func (o *options) origin(topic string) string {
	if o.Namespace == "" {
		return topic
	}
	return o.Namespace + ":" + topic
}
