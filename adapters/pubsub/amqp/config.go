package amqp

import (
	"math"
	"strings"
	"time"

	rabbit "github.com/rabbitmq/amqp091-go"

	"leat/adapters/encryption"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/fault"
)

// Config is what an operator may set, under broker.amqp.
type Config struct {
	URI            string            `config:"uri" default:"amqp://localhost:5672/" secret:"uri" doc:"amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps:// for TLS, as guest without a user; characters such as @ and / in user, password and vhost are percent-encoded"`
	TLS            encryption.Config `config:"tls" doc:"encrypted connections to RabbitMQ; the URI decides: amqps:// makes them in any case, and enabled, which the other keys here need, must agree with it"`
	Queue          Queue             `config:"queue" doc:"queues that leat declares; one that exists is used as it is"`
	InFlight       int               `config:"in_flight" default:"2000" min:"1" max:"65535" doc:"messages of one subscription that may be without a confirmed outcome at a time, and the prefetch of each of its two consumers; fewer if their payloads exceed 64 MiB"`
	MaxHold        time.Duration     `config:"max_hold" default:"10m" min:"1s" max:"24h" doc:"how long a message is held here before it is handed back to the server; well below half of the server's consumer_timeout (30 min), which ends a channel that holds one for longer"`
	Nack           inflight.Nack     `config:"nack" doc:"delivering again what a handler refused"`
	MaxDeliveries  int               `config:"max_deliveries" default:"10" min:"1" max:"1000000" doc:"a message of a quorum queue that was delivered more often without an outcome runs alone, and goes to the DLQ if that fails too"`
	Timeout        time.Duration     `config:"timeout" default:"10s" min:"10ms" max:"5m" doc:"how long to connect, and to wait for one answer"`
	PublishTimeout time.Duration     `config:"publish_timeout" default:"30s" min:"10ms" max:"10m" doc:"how long the server may take to confirm a round of up to 1000 messages"`
	Heartbeat      time.Duration     `config:"heartbeat" default:"10s" min:"1s" max:"10m" doc:"how often the two sides tell each other that they are alive, in whole seconds; a heartbeat in the URI overrides it"`
}

// Queue says what queues leat declares.
type Queue struct {
	Type string `config:"type" default:"quorum" oneof:"quorum|classic" doc:"type of the queues that leat declares: quorum queues are replicated and count deliveries, classic queues do neither"`
}

const (
	quorum  = "quorum"
	classic = "classic"
)

// check refuses what a caller that does not read the tags may have set. Errors are of kind Invalid.
func (c *Config) check() error {
	switch {
	case c.InFlight < 1 || c.InFlight > math.MaxUint16 || c.MaxDeliveries < 1:
		return fault.Invalidf("options", "amqp: in_flight must be 1 to %d, max_deliveries at least 1", math.MaxUint16)
	case c.MaxHold <= 0 || c.Timeout <= 0 || c.PublishTimeout <= 0 || c.Heartbeat < time.Second || c.Nack.Delay <= 0:
		return fault.Invalidf("options", "amqp: max_hold, timeout, publish_timeout and nack.delay must be above 0, heartbeat at least 1s")
	case c.Queue.Type != quorum && c.Queue.Type != classic:
		return fault.Invalidf("options", "amqp: queue.type is %q, and can be %s or %s", c.Queue.Type, quorum, classic)
	}
	return nil
}

// address reads the URI. Its errors do not repeat any of it: it holds a password.
func (c *Config) address() (rabbit.URI, error) {
	uri, err := rabbit.ParseURI(c.URI)
	if err != nil {
		return rabbit.URI{}, fault.Invalidf("uri", "amqp: broker.amqp.uri cannot be read: it must be amqp://USER:PASSWORD@HOST:PORT/VHOST "+
			"(or amqps://), with characters such as @ : / ? # %% and spaces in user, password and vhost percent-encoded")
	}
	if uri.CACertFile != "" || uri.CertFile != "" || uri.KeyFile != "" {
		return rabbit.URI{}, fault.Invalidf("uri", "amqp: broker.amqp.uri names certificate files: set broker.amqp.tls.ca_file, cert_file and key_file instead")
	}
	if uri.Scheme != "amqps" && c.TLS.Enabled {
		return rabbit.URI{}, fault.Invalidf("tls", "amqp: broker.amqp.tls.enabled is true, but broker.amqp.uri begins with %s://: make it amqps://", uri.Scheme)
	}
	return uri, nil
}

// login returns how to log in: with user and password, unless the URI says otherwise.
func login(uri rabbit.URI) ([]rabbit.Authentication, error) {
	if len(uri.AuthMechanism) == 0 {
		return []rabbit.Authentication{uri.PlainAuth()}, nil
	}
	var ways []rabbit.Authentication
	for _, name := range uri.AuthMechanism {
		switch strings.ToUpper(name) {
		case "PLAIN":
			ways = append(ways, uri.PlainAuth())
		case "EXTERNAL":
			ways = append(ways, &rabbit.ExternalAuth{})
		default:
			return nil, fault.Invalidf("uri", "amqp: auth_mechanism in broker.amqp.uri is %q, and can be plain or external", name)
		}
	}
	return ways, nil
}
