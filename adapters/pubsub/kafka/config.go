package kafka

import (
	"time"

	"leat/adapters/encryption"
	"leat/adapters/pubsub/inflight"
)

// Config is what an operator may set, under broker.kafka.
type Config struct {
	Brokers         []string          `config:"brokers" default:"" doc:"addresses of one or more brokers, host:port; the others are found through them"`
	ClientID        string            `config:"client_id" default:"leat" min:"1" max:"200" doc:"name of this client in the broker's logs, quotas and member ids"`
	TLS             encryption.Config `config:"tls" doc:"encrypted connections to the brokers"`
	SASL            SASL              `config:"sasl" doc:"credentials"`
	Timeout         time.Duration     `config:"timeout" default:"10s" min:"1s" max:"5m" doc:"how long to connect, and to wait for one answer"`
	SessionTimeout  time.Duration     `config:"session_timeout" default:"30s" min:"1s" max:"30m" doc:"how long after its last sign of life a process loses its partitions to others; within the broker's group.min.session.timeout.ms and group.max.session.timeout.ms"`
	InFlight        int               `config:"in_flight" default:"2000" min:"1" max:"100000" doc:"messages of one subscription that may be without a confirmed outcome at a time; fewer if their payloads exceed 64 MiB"`
	MaxAhead        int               `config:"max_ahead" default:"100000" min:"1" max:"10000000" doc:"messages of a partition that may be handed out beyond the first that is not acked; they come again if the process dies"`
	MaxMessageBytes int64             `config:"max_message_bytes" unit:"bytes" default:"1MiB" min:"1KiB" max:"64MiB" doc:"largest message that is published, metadata included; topics that leat creates get it as max.message.bytes if it is above the 1 MiB of Kafka"`
	Nack            inflight.Nack     `config:"nack" doc:"delivering again what a handler refused"`
	Topic           Topic             `config:"topic" doc:"topics that do not exist are created so; those that exist are never changed"`
}

// SASL says who the client is.
type SASL struct {
	Mechanism string `config:"mechanism" default:"" oneof:"|plain|scram-sha-256|scram-sha-512" doc:"how the password is proved; empty means without credentials"`
	User      string `config:"user" default:"" doc:"name of the user"`
	Password  string `config:"password" default:"" secret:"true" doc:"password of the user"`
}

// Topic is what a topic is created with.
type Topic struct {
	Partitions  int `config:"partitions" default:"12" min:"1" max:"10000" doc:"partitions: at most as many processes share the work"`
	Replication int `config:"replication" default:"-1" min:"-1" max:"100" doc:"copies of each partition; -1 means the broker's default"`
}
