package nats

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leat/handlers/fault"
)

// check is Validate for those who made the configuration themselves.
func (c *Config) check() error {
	var problems []string
	c.Validate(func(key, problem string) { problems = append(problems, "broker.nats."+key+" "+problem) })
	if len(c.URLs) == 0 {
		problems = append(problems, "broker.nats.urls is empty")
	}
	if c.InFlight < 1 || c.Fetch < 1 || c.AckWait <= 0 || c.Timeout <= 0 || c.Stream.Replicas < 1 {
		problems = append(problems, "broker.nats.in_flight, fetch, ack_wait, timeout and stream.replicas must be above 0")
	}
	if len(problems) > 0 {
		return fault.Invalidf("config", "nats: %s", strings.Join(problems, "; "))
	}
	return nil
}

const (
	// A connection on which no answer to a ping comes for about three intervals is dead.
	pingInterval  = 5 * time.Second
	reconnectWait = 100 * time.Millisecond
)

// dial connects, and prepares what speaks over the connection.
func (b *Backend) dial(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return failure(err, "connect")
	}
	options, err := b.options()
	if err != nil {
		return err
	}
	dialing, hangUp := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, hangUp)
	dialer := &dialer{Dialer: net.Dialer{Timeout: b.config.Timeout}, until: dialing}
	conn, err := natsgo.Connect(strings.Join(b.config.URLs, ","), append(options, natsgo.SetCustomDialer(dialer))...)
	if !stop() && err == nil {
		conn.Close()
		err = ctx.Err()
	}
	if err != nil {
		hangUp()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return failure(err, "connect to %s", strings.Join(b.config.URLs, ", "))
	}
	b.conn, b.hangUp = conn, hangUp
	if b.js, err = jetstream.New(conn, jetstream.WithPublishAsyncTimeout(b.config.Timeout), jetstream.WithPublishAsyncMaxPending(publishers*publishChunk)); err != nil {
		return fault.Internalf("jetstream", "nats: %w", errors.Join(err, b.Close()))
	}
	b.publisher = newPublisher(b)
	return nil
}

// dialer lets a context end the making of connections, which the client does not.
type dialer struct {
	net.Dialer
	until context.Context
}

func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(d.until, network, address)
}

// options are those of a connection that is repaired for ever, and on which nothing is buffered while it is down: whoever sends
// hears of it and knows what may be sent again.
func (b *Backend) options() ([]natsgo.Option, error) {
	config := &b.config
	options := []natsgo.Option{
		natsgo.Name("leat"), natsgo.Timeout(config.Timeout),
		natsgo.MaxReconnects(-1), natsgo.ReconnectWait(reconnectWait), natsgo.ReconnectBufSize(-1), natsgo.IgnoreAuthErrorAbort(),
		natsgo.PingInterval(pingInterval), natsgo.MaxPingsOutstanding(2),
		natsgo.NoCallbacksAfterClientClose(),
		natsgo.ErrorHandler(b.noteError),
		natsgo.DisconnectErrHandler(func(_ *natsgo.Conn, err error) { b.log.Debug("the connection to NATS broke", "error", err) }),
		natsgo.ReconnectHandler(func(*natsgo.Conn) { b.log.Debug("the connection to NATS is back") }),
	}
	switch {
	case config.User != "":
		options = append(options, natsgo.UserInfo(config.User, config.Password))
	case config.Token != "":
		options = append(options, natsgo.Token(config.Token))
	case config.CredsFile != "":
		if _, err := os.Stat(config.CredsFile); err != nil {
			return nil, fault.Invalidf("credentials", "nats: broker.nats.creds_file: %w", err)
		}
		options = append(options, natsgo.UserCredentials(config.CredsFile))
	case config.NKeyFile != "":
		option, err := natsgo.NkeyOptionFromSeed(config.NKeyFile)
		if err != nil {
			return nil, fault.Invalidf("credentials", "nats: broker.nats.nkey_file %s: %w", config.NKeyFile, err)
		}
		options = append(options, option)
	}
	secure, err := config.TLS.Client("broker.nats.tls")
	if err != nil {
		return nil, err
	}
	if secure != nil {
		options = append(options, natsgo.Secure(secure))
	}
	return options, nil
}
