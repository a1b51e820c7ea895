package redisstream

import (
	"time"

	"leat/adapters/pubsub/inflight"
)

// Config is what an operator may set, under broker.redisstream.
type Config struct {
	Consumer      string        `config:"consumer" default:"" doc:"consumer name within the group; empty means the host name; a suffix (-2, -3 …) is added while another live process holds the name"`
	InFlight      int           `config:"in_flight" default:"2000" min:"1" max:"100000" doc:"entries of one subscription that may be without a confirmed outcome at a time; fewer if their payloads exceed 64 MiB"`
	Count         int           `config:"count" default:"500" min:"1" max:"10000" doc:"most entries that one read asks for"`
	Block         time.Duration `config:"block" default:"500ms" min:"1ms" max:"2s" doc:"how long a read waits for new entries; a stop waits for it"`
	Claim         Claim         `config:"claim" doc:"taking over what other consumers left"`
	Nack          inflight.Nack `config:"nack" doc:"delivering again what a handler refused"`
	MaxDeliveries int           `config:"max_deliveries" default:"10" min:"1" max:"1000000" doc:"an entry delivered more often without an outcome runs alone, and goes to the DLQ if that fails too"`
	Retain        time.Duration `config:"retain" default:"0s" min:"0s" doc:"age from which entries that every group has acked are trimmed; 0 never trims"`
	Lease         time.Duration `config:"lease" default:"5s" min:"100ms" max:"1m" doc:"how long a consumer name stays taken after its process died"`
}

// Claim says when entries of other consumers are taken over.
type Claim struct {
	MinIdle time.Duration `config:"min_idle" default:"30s" min:"100ms" max:"24h" doc:"an entry that its consumer has neither finished nor extended for this long may be claimed by another; live consumers extend theirs every third of it"`
}
