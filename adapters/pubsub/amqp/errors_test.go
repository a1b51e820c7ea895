package amqp

import (
	"context"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	rabbit "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

// refusal connects, and holds that this fails soon and does not tell the password.
func refusal(t *testing.T, config Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	backend, err := Connect(ctx, config, nil)
	if err == nil {
		_ = backend.Close()
	}
	require.Error(t, err)
	require.Less(t, time.Since(began), 2*time.Second, "%v", err)
	require.NotContains(t, err.Error(), "s3cret")
	return err
}

// Wrong settings are told at once, with what to do.
func TestConnectRefused(t *testing.T) {
	for name, test := range map[string]struct {
		uri    string
		change func(*Config)
		server bool
		code   string
		text   string
	}{
		"wrong password":        {"amqp://guest:s3cret@" + serverAddr + "/", nil, true, "credentials", "check user and password"},
		"unknown user":          {"amqp://nobody-here:s3cret@" + serverAddr + "/", nil, true, "credentials", "check user and password"},
		"no such vhost":         {"amqp://guest:guest@" + serverAddr + "/no-such-vhost", nil, true, "vhost", "create the vhost"},
		"TLS on a port without": {"amqps://guest:guest@" + serverAddr + "/", nil, true, "tls", "does not speak TLS"},
		"another scheme":        {"http://u:s3cret@host/", nil, false, "uri", "broker.amqp.uri"},
		"a raw character":       {"amqp://u:s3cret%zz@host/", nil, false, "uri", "percent-encoded"},
		"a space":               {"amqp://u:s3cret @host/", nil, false, "uri", "percent-encoded"},
		"certificates in it":    {"amqps://u:s3cret@host/?cacertfile=x", nil, false, "uri", "broker.amqp.tls"},
		"a way to log in":       {"amqp://u:s3cret@host/?auth_mechanism=magic", nil, false, "uri", "plain or external"},
		"TLS without amqps":     {"amqp://u:s3cret@host/", func(c *Config) { c.TLS.Enabled = true }, false, "tls", "amqps://"},
		"no such CA":            {"amqps://u:s3cret@host/", func(c *Config) { c.TLS.Enabled, c.TLS.CAFile = true, "/nowhere" }, false, "tls", "broker.amqp.tls.ca_file"},
		"a CA without enabled":  {"amqps://u:s3cret@host/", func(c *Config) { c.TLS.CAFile = "x" }, false, "tls", "broker.amqp.tls.enabled"},
		"keys without amqps":    {"amqp://u:s3cret@host/", func(c *Config) { c.TLS.CAFile = "x" }, false, "tls", "broker.amqp.tls.enabled"},
		"type of queue":         {"amqp://u:s3cret@host/", func(c *Config) { c.Queue.Type = "stream" }, false, "options", "quorum or classic"},
		"prefetch":              {"amqp://u:s3cret@host/", func(c *Config) { c.InFlight = 70_000 }, false, "options", "65535"},
		"hold":                  {"amqp://u:s3cret@host/", func(c *Config) { c.MaxHold = 0 }, false, "options", "max_hold"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.server {
				needServer(t)
			}
			config := quick(serverAddr)
			config.URI = test.uri
			if test.change != nil {
				test.change(&config)
			}
			err := refusal(t, config)
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			require.Equal(t, test.code, fault.Of(err).Code, "%v", err)
			require.ErrorContains(t, err, test.text)
		})
	}
}

// A server whose certificate nobody vouches for is refused, and not waited for.
func TestConnectUntrusted(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	config := quick(serverAddr)
	config.URI = "amqps://u:s3cret@" + server.Listener.Addr().String() + "/"
	err := refusal(t, config)
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "broker.amqp.tls.ca_file")
}

// A server that is not there, or that goes away during the login, is worth waiting for.
func TestConnectUnavailable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := listener.Addr().String()
	require.NoError(t, listener.Close())
	t.Run("refused", func(t *testing.T) {
		err := refusal(t, quick(closed))
		require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		require.ErrorContains(t, err, closed)
	})
	for name, answer := range map[string]func(net.Conn){
		"closed at once": func(net.Conn) {},
		"closed after the login was sent": func(conn net.Conn) {
			server, err := net.Dial("tcp", serverAddr)
			if err != nil {
				return
			}
			defer func() { _ = server.Close() }()
			_, _ = io.CopyN(server, conn, 8) // protocol header
			start := make([]byte, 4096)
			n, _ := server.Read(start)
			_, _ = conn.Write(start[:n])
			_, _ = conn.Read(start)
		},
		"silent": func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) },
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "login") {
				needServer(t)
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			done := make(chan struct{})
			go func() {
				defer close(done)
				if conn, err := listener.Accept(); err == nil {
					answer(conn)
					_ = conn.Close()
				}
			}()
			config := quick(listener.Addr().String())
			config.Timeout = 500 * time.Millisecond
			err = refusal(t, config)
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
			_ = listener.Close()
			<-done
		})
	}
}

// The end of the context ends a connect, even to a server that says nothing.
func TestConnectCanceled(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = Connect(ctx, quick(listener.Addr().String()), nil)
	require.Error(t, err)
	require.Less(t, time.Since(began), time.Second)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
}

// What the server refuses has a kind, and a person is told what to do where nobody else can.
func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		code string // empty: it may pass
	}{
		"login":             {&rabbit.Error{Server: true, Code: 403, Reason: "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN."}, "credentials"},
		"permission":        {&rabbit.Error{Server: true, Code: 403, Reason: "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'u'"}, "permission"},
		"no vhost":          {&rabbit.Error{Server: true, Code: 530, Reason: "NOT_ALLOWED - vhost v not found"}, "vhost"},
		"not in the vhost":  {&rabbit.Error{Server: true, Code: 530, Reason: "NOT_ALLOWED - access to vhost 'v' refused for user 'u'"}, "vhost"},
		"connection limit":  {&rabbit.Error{Server: true, Code: 530, Reason: "NOT_ALLOWED - access to vhost 'v' refused for user 'u': connection limit (1) is reached"}, ""},
		"vhost down":        {&rabbit.Error{Server: true, Code: 541, Reason: "INTERNAL_ERROR - access to vhost 'v' refused: vhost 'v' is down"}, ""},
		"no such queue":     {&rabbit.Error{Server: true, Code: 404, Reason: "NOT_FOUND - no queue 'q'"}, ""},
		"shutdown":          {&rabbit.Error{Server: true, Code: 320, Reason: "CONNECTION_FORCED - broker forced connection closure"}, ""},
		"guessed by client": {rabbit.ErrCredentials, ""},
		"mechanism":         {rabbit.ErrSASL, "credentials"},
		"closed":            {rabbit.ErrClosed, ""},
		"network":           {&net.OpError{Op: "dial", Err: io.EOF}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := failure(test.err, "read %q", "q")
			require.ErrorIs(t, err, test.err)
			if test.code == "" {
				require.Equal(t, fault.Unavailable, fault.KindOf(err))
				return
			}
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			require.Equal(t, test.code, fault.Of(err).Code)
			require.Equal(t, fault.Unavailable, fault.KindOf(unavailable(err, "publish")), "no message ends in the DLQ because of that")
		})
	}
}

// RabbitMQ drops messages of quorum queues from version 4 on unless told not to, and refuses to be told before.
func TestArguments(t *testing.T) {
	for version, limit := range map[string]any{"3.8.9": nil, "3.13.7": nil, "4.0.2": -1, "4.1.0-beta.1": -1, "": nil, "x": nil} {
		conn := &connection{Connection: &rabbit.Connection{Properties: rabbit.Table{"version": version}}}
		require.Equal(t, limit, conn.arguments(quorum)["x-delivery-limit"], version)
		require.Equal(t, rabbit.Table{"x-queue-type": classic}, conn.arguments(classic), version)
	}
}
