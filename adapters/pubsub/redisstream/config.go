package redisstream

import (
	"log/slog"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

// Config is what an operator may set, under broker.redisstream.
type Config struct {
	Consumer      string        `config:"consumer" default:"" doc:"consumer name within the group; empty means the host name; a suffix (-2, -3 …) is added while another live process holds the name"`
	InFlight      int           `config:"in_flight" default:"2000" min:"1" max:"100000" doc:"entries of one subscription that may be without a confirmed outcome at a time; fewer if their payloads exceed 64 MiB"`
	Count         int           `config:"count" default:"500" min:"1" max:"10000" doc:"most entries that one read asks for"`
	Block         time.Duration `config:"block" default:"1s" min:"1ms" max:"2s" doc:"how long a read waits for new entries; a stop waits for it"`
	Claim         Claim         `config:"claim" doc:"taking over what other consumers left"`
	Nack          Nack          `config:"nack" doc:"delivering again what a handler refused"`
	MaxDeliveries int           `config:"max_deliveries" default:"10" min:"1" max:"1000000" doc:"an entry delivered more often without an outcome runs alone, and goes to the DLQ if that fails too"`
	Retain        time.Duration `config:"retain" default:"0s" min:"0s" doc:"age from which entries that every group has acked are trimmed; 0 never trims"`
	Lease         time.Duration `config:"lease" default:"5s" min:"100ms" max:"1m" doc:"how long a consumer name stays taken after its process died"`
}

// Claim says when entries of other consumers are taken over.
type Claim struct {
	MinIdle time.Duration `config:"min_idle" default:"30s" min:"100ms" max:"24h" doc:"an entry that its consumer has neither finished nor extended for this long may be claimed by another; live consumers extend theirs every third of it"`
}

// Nack says when a nacked entry is delivered again.
type Nack struct {
	Delay    time.Duration `config:"delay" default:"1s" min:"1ms" max:"1h" doc:"wait before a nacked entry is delivered again; doubled with each nack, plus up to half of it at random"`
	MaxDelay time.Duration `config:"max_delay" default:"1m" min:"1ms" max:"24h" doc:"longest wait before a nacked entry is delivered again"`
}

// Options is what NewSubscriber needs.
type Options struct {
	Config
	// Namespace is put before the topic in the source of a message, as "namespace:topic". It keeps positions of
	// two Redis servers apart in one store. May be empty.
	Namespace string
	// Group is the consumer group; it is created at the first entry of the stream.
	Group string
	// Client runs everything but blocking reads. It is shared: the subscriber never closes it. Unless it has
	// ContextTimeoutEnabled, a server that hangs can hold a stop up for the client's own timeouts and retries.
	Client redis.UniversalClient
	// ReadClient makes a client for the blocking reads of one subscription, which closes it. Its ReadTimeout
	// must be longer than Config.Block. Nil, which is faster: a connection with the options of Client, which
	// must then be a *redis.Client or a *redis.ClusterClient.
	ReadClient func() redis.UniversalClient
	// Gate pauses reading; nil never does.
	Gate pubsub.Gate
	// Logger may be nil.
	Logger *slog.Logger
	// Observe counts what happens to entries. It is called often and must not block. May be nil.
	Observe func(topic string, event Event, n int)
	// CloseTimeout is how long a stop waits for messages whose handlers have begun. 0 does not wait. Neither does
	// a round trip of a *redis.Client take longer, but at least 1 s and at most 5 s, so that a server that hangs
	// does not hold a stop up.
	CloseTimeout time.Duration
}

// redisTimeout bounds a round trip to Redis, and all that a stop still asks of it when the handlers are done.
func (o *Options) redisTimeout() time.Duration {
	return max(time.Second, min(5*time.Second, o.CloseTimeout))
}

func (o *Options) prepare() error {
	switch {
	case o.Client == nil:
		return fault.Invalidf("options", "redisstream: no Redis client")
	case o.Group == "":
		return fault.Invalidf("options", "redisstream: no consumer group")
	case o.InFlight < 1 || o.Count < 1 || o.MaxDeliveries < 1:
		return fault.Invalidf("options", "redisstream: in_flight, count and max_deliveries must be at least 1")
	case o.Block < time.Millisecond || o.Lease < 3*time.Millisecond || o.Claim.MinIdle < 3*time.Millisecond:
		return fault.Invalidf("options", "redisstream: block, lease and claim.min_idle must be at least a few milliseconds")
	case o.Nack.Delay <= 0 || o.Retain < 0 || o.CloseTimeout < 0:
		return fault.Invalidf("options", "redisstream: nack.delay must be above 0, retain and the close timeout not below")
	}
	o.Nack.MaxDelay = max(o.Nack.MaxDelay, o.Nack.Delay)
	if o.Consumer == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			return fault.Invalidf("options", "redisstream: the host has no name: set broker.redisstream.consumer")
		}
		o.Consumer = host
	}
	if o.opener() == nil {
		return fault.Invalidf("options", "redisstream: no way to make a client for reading from a %T: set ReadClient", o.Client)
	}
	if client, ok := o.Client.(*redis.Client); ok {
		if timeout := client.Options().ReadTimeout; timeout <= 0 || timeout > o.redisTimeout() {
			o.Client = client.WithTimeout(o.redisTimeout())
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string, Event, int) {}
	}
	return nil
}

// source is what positions of the topic count in.
func (o *Options) source(topic string) string {
	if o.Namespace == "" {
		return topic
	}
	return o.Namespace + ":" + topic
}
