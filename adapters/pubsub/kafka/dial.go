package kafka

import (
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"leat/handlers/fault"
)

// options are what every client of the backend has. Errors are of kind Invalid.
func (c *Config) options(log *slog.Logger) ([]kgo.Opt, error) {
	if len(c.Brokers) == 0 {
		return nil, fault.Invalidf("brokers", "kafka: no address of a broker: set broker.kafka.brokers, such as localhost:9092")
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.ClientID),
		kgo.WithLogger(clientLog{log}),
		kgo.DialTimeout(c.Timeout),
		kgo.RequestTimeoutOverhead(c.Timeout),
		kgo.RetryTimeoutFn(c.retryTimeout),
		kgo.RetryBackoffFn(func(tries int) time.Duration { return min(time.Second, 50*time.Millisecond<<min(tries, 5)) }),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(time.Minute),
		kgo.DisableClientMetrics(),
	}
	secure, err := c.TLS.Client("broker.kafka.tls")
	if err != nil {
		return nil, err
	}
	if secure != nil {
		options = append(options, kgo.DialTLSConfig(secure))
	}
	switch c.SASL.Mechanism {
	case "":
	case "plain":
		options = append(options, kgo.SASL(plain.Auth{User: c.SASL.User, Pass: c.SASL.Password}.AsMechanism()))
	case "scram-sha-256":
		options = append(options, kgo.SASL(scram.Auth{User: c.SASL.User, Pass: c.SASL.Password}.AsSha256Mechanism()))
	case "scram-sha-512":
		options = append(options, kgo.SASL(scram.Auth{User: c.SASL.User, Pass: c.SASL.Password}.AsSha512Mechanism()))
	default:
		return nil, fault.Invalidf("sasl", "kafka: broker.kafka.sasl.mechanism %q is none of plain, scram-sha-256, scram-sha-512", c.SASL.Mechanism)
	}
	if c.SASL.Mechanism != "" && c.SASL.User == "" {
		return nil, fault.Invalidf("sasl", "kafka: broker.kafka.sasl.mechanism is %s, but there is no broker.kafka.sasl.user", c.SASL.Mechanism)
	}
	return options, nil
}

// retryTimeout bounds how long the client tries a request again by itself.
func (c *Config) retryTimeout(key int16) time.Duration {
	switch kmsg.Key(key) {
	case kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat:
		return c.SessionTimeout
	}
	return c.Timeout
}
