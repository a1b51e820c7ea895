package amqp

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strconv"

	rabbit "github.com/rabbitmq/amqp091-go"
)

// dialer makes connections.
type dialer struct {
	config  Config
	address string
	ways    []rabbit.Authentication
	tls     *tls.Config // nil without TLS
	host    string
}

// newDialer reads the certificates. Its errors are of kind Invalid.
func newDialer(config Config, uri rabbit.URI, host string) (*dialer, error) {
	ways, err := login(uri)
	if err != nil {
		return nil, err
	}
	d := &dialer{config: config, address: net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)), ways: ways, host: host}
	d.tls, err = config.TLS.Client("broker.amqp.tls")
	if err != nil || uri.Scheme != "amqps" {
		return d, err
	}
	if d.tls == nil {
		d.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	d.tls.ServerName = cmp.Or(d.tls.ServerName, uri.ServerName, uri.Host)
	return d, nil
}

// dial connects, within the timeout and ctx. The purpose is for those who look at the server's list of connections.
func (d *dialer) dial(ctx context.Context, purpose string) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, d.config.Timeout)
	defer cancel()
	properties := rabbit.NewConnectionProperties()
	properties["product"] = "leat"
	properties.SetClientConnectionName("leat " + purpose + " " + d.host + " " + strconv.Itoa(os.Getpid()))
	c := &connection{timeout: d.config.Timeout, declaring: make(chan struct{}, 1)}
	release := func() bool { return true }
	var err error
	c.Connection, err = rabbit.DialConfig(d.config.URI, rabbit.Config{
		SASL: outspoken(d.ways, properties), Properties: properties, Heartbeat: d.config.Heartbeat, TLSClientConfig: d.tls.Clone(),
		Dial: func(network, addr string) (net.Conn, error) {
			raw, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			c.socket = &socket{Conn: raw, timeout: d.config.Timeout}
			release = context.AfterFunc(ctx, c.cut)
			return c.socket, nil
		},
	})
	if !release() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if c.socket != nil {
			c.cut()
		}
		if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
			err = errors.Join(ctx.Err(), err)
		}
		return nil, failure(err, "connect to %s", d.address)
	}
	c.watch()
	return c, nil
}
