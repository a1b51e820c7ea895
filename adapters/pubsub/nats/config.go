package nats

import (
	"net/url"
	"strings"
	"time"

	"leat/adapters/encryption"
	"leat/adapters/pubsub/inflight"
)

// Config is what an operator may set, under broker.nats.
type Config struct {
	URLs          []string          `config:"urls" default:"nats://127.0.0.1:4222" min:"1" doc:"addresses of servers of one cluster, nats://HOST:PORT or tls://HOST:PORT, without credentials"`
	User          string            `config:"user" doc:"user; needs password"`
	Password      string            `config:"password" secret:"true" doc:"password of user"`
	Token         string            `config:"token" secret:"true" doc:"token, instead of a user"`
	CredsFile     string            `config:"creds_file" doc:"file with a user's JWT and seed, instead of a user"`
	NKeyFile      string            `config:"nkey_file" doc:"file with the seed of an NKey, instead of a user"`
	TLS           encryption.Config `config:"tls" doc:"encrypted connections to NATS; tls:// addresses make them in any case"`
	Timeout       time.Duration     `config:"timeout" default:"5s" min:"100ms" max:"1m" doc:"how long to connect, and to wait for one answer"`
	Stream        Stream            `config:"stream" doc:"streams that are created because a topic has none; a stream that exists is never changed"`
	AckWait       time.Duration     `config:"ack_wait" default:"30s" min:"500ms" max:"1h" doc:"a message that its consumer has neither finished nor extended for this long is delivered to another; live processes extend theirs every third of it; for consumers that are created"`
	MaxAckPending int               `config:"max_ack_pending" default:"50000" min:"1" max:"1000000" doc:"messages of a group that may be without an outcome in all processes together, at least in_flight times the processes; for consumers that are created"`
	InFlight      int               `config:"in_flight" default:"2000" min:"1" max:"100000" doc:"messages of one subscription that may be without a confirmed outcome at a time; fewer if their payloads exceed 64 MiB"`
	Fetch         int               `config:"fetch" default:"1000" min:"1" max:"10000" doc:"most messages that one read asks for"`
	Nack          inflight.Nack     `config:"nack" doc:"delivering again what a handler refused"`
	MaxDeliveries int               `config:"max_deliveries" default:"10" min:"1" max:"1000000" doc:"a message delivered more often without an outcome runs alone, and goes to the DLQ if that fails too"`
}

// The places where a stream is kept.
const (
	File   = "file"   // on disk, so that messages survive a restart of the server
	Memory = "memory" // in memory, so that they do not, unless there are replicas
)

// Stream is how a stream is created.
type Stream struct {
	Storage    string        `config:"storage" default:"file" oneof:"file|memory" doc:"where messages are kept"`
	Replicas   int           `config:"replicas" default:"1" min:"1" max:"5" doc:"servers that keep a copy, of the stream and of its consumers' states"`
	MaxAge     time.Duration `config:"max_age" default:"0s" min:"0s" doc:"age at which messages are deleted, handled or not; 0 keeps them for ever"`
	Duplicates time.Duration `config:"duplicates" default:"2m" min:"100ms" doc:"how long the server refuses a second message with the same Nats-Msg-Id header, which other producers may set"`
}

// Validate reports what contradicts itself, under keys relative to the section. Values are not repeated.
func (c Config) Validate(report func(key, problem string)) {
	for _, address := range c.URLs {
		if problem := addressProblem(address); problem != "" {
			report("urls", problem)
		}
	}
	ways := 0
	for _, set := range []bool{c.User != "", c.Token != "", c.CredsFile != "", c.NKeyFile != ""} {
		if set {
			ways++
		}
	}
	switch {
	case ways > 1:
		report("user", "is one of four ways to log in (user, token, creds_file, nkey_file), and only one may be set")
	case c.User == "" && c.Password != "":
		report("password", "needs broker.nats.user")
	}
	if c.MaxAckPending < c.InFlight {
		report("max_ack_pending", "must not be below in_flight")
	}
	if c.Stream.MaxAge > 0 && c.Stream.Duplicates > c.Stream.MaxAge {
		report("stream.duplicates", "must not be above max_age")
	}
	if c.Nack.MaxDelay > 0 && c.Nack.MaxDelay < c.Nack.Delay {
		report("nack.max_delay", "must not be below nack.delay")
	}
}

func addressProblem(address string) string {
	if !strings.Contains(address, "://") {
		address = "nats://" + address
	}
	parsed, err := url.Parse(address)
	switch {
	case err != nil || parsed.Hostname() == "":
		return "holds something that is no address: write nats://HOST:PORT"
	case parsed.Scheme != "nats" && parsed.Scheme != "tls":
		return "holds an address whose scheme is neither nats nor tls"
	case parsed.User != nil:
		return "must not hold credentials: set broker.nats.user and password, or token"
	}
	return ""
}
