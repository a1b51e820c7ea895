package sql

import (
	"context"
	"crypto/rand"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

const secret = "hunter2%pw"

func TestConnectRefuses(t *testing.T) {
	t.Parallel()
	good := server(t)
	with := func(change func(*url.URL)) string {
		uri := *good
		change(&uri)
		return uri.String()
	}
	for name, test := range map[string]struct {
		uri  string
		kind fault.Kind
		says string
	}{
		"no URI":                {"", fault.Invalid, "broker.sql.uri"},
		"a URI of another kind": {"mysql:" + secret, fault.Invalid, "postgres://user:password@host"},
		"a password that is not encoded": {"postgres://user:" + secret + "@127.0.0.1/db", fault.Invalid,
			"percent-encoding"},
		"a password as a parameter":  {"postgres://127.0.0.1/db?password=hunter2&sslmode=what", fault.Invalid, "sslmode"},
		"words instead of a URI":     {"host=127.0.0.1 password=hunter2 sslmode=what", fault.Invalid, "postgres://user:password@host"},
		"a port that is none":        {"postgres://user:hunter2@127.0.0.1:port/db", fault.Invalid, "connection string"},
		"an unknown sslmode":         {with(func(u *url.URL) { u.RawQuery = "sslmode=what" }), fault.Invalid, "sslmode"},
		"a CA that is not there":     {with(func(u *url.URL) { u.RawQuery = "sslmode=verify-full&sslrootcert=/not/there.pem" }), fault.Invalid, "/not/there.pem"},
		"an unknown role":            {with(func(u *url.URL) { u.User = url.UserPassword("leat_nobody", secret) }), fault.Invalid, "check user and password"},
		"an unknown database":        {with(func(u *url.URL) { u.Path = "/leat_nowhere" }), fault.Invalid, "create the database"},
		"a wrong password":           {"postgres://user:hunter2@" + refusing(t, "28P01") + "/db?sslmode=disable", fault.Invalid, "check user and password"},
		"a server that is full":      {"postgres://user:hunter2@" + refusing(t, "53300") + "/db?sslmode=disable", fault.Unavailable, "53300"},
		"a server that starts up":    {"postgres://user:hunter2@" + refusing(t, "57P03") + "/db?sslmode=disable", fault.Unavailable, "57P03"},
		"a server that is not there": {"postgres://user:hunter2@127.0.0.1:1/db", fault.Unavailable, "connect"},
		"a host that is not there":   {"postgres://user:hunter2@no.such.host.invalid/db", fault.Unavailable, "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := quick(good)
			cfg.URI = test.uri
			_, err := Connect(context.Background(), cfg, nil)
			require.Error(t, err)
			require.Equal(t, test.kind, fault.KindOf(err), "%v", err)
			require.Contains(t, err.Error(), test.says)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// A server that takes connections and says nothing does not hold up a start.
func TestConnectEnds(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	cfg := quick(server(t))
	cfg.URI, cfg.Timeout = "postgres://user@"+listener.Addr().String()+"/db?sslmode=disable", 200*time.Millisecond
	began := time.Now()
	_, err = Connect(context.Background(), cfg, nil)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	require.Less(t, time.Since(began), 2*time.Second)

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Connect(ctx, quick(server(t)), nil)
	require.Equal(t, fault.Canceled, fault.KindOf(err), "%v", err)
}

// refusing starts a server that answers every connection with an error.
func refusing(t *testing.T, code string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			backend := pgproto3.NewBackend(conn, conn)
			if _, err := backend.ReceiveStartupMessage(); err == nil {
				backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "no"})
				_ = backend.Flush()
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		running.Wait()
	})
	return listener.Addr().String()
}

func TestSettings(t *testing.T) {
	good := settings{version: 130000, number: "13.0", encoding: "UTF8", commit: "on", fsync: "on"}
	require.NoError(t, good.judge())
	for says, change := range map[string]func(*settings){
		"PostgreSQL 12.9":        func(s *settings) { s.version, s.number = 120009, "12.9" },
		"SQL_ASCII":              func(s *settings) { s.encoding = "SQL_ASCII" },
		"synchronous_commit=off": func(s *settings) { s.commit = "off" },
	} {
		bad := good
		change(&bad)
		require.ErrorContains(t, bad.judge(), says)
		require.Equal(t, fault.Invalid, fault.KindOf(bad.judge()))
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"in_flight": func(c *Config) { c.InFlight = 0 }, "count": func(c *Config) { c.Count = 0 }, "poll": func(c *Config) { c.Poll = time.Minute },
		"lease": func(c *Config) { c.Lease = 0 }, "retain": func(c *Config) { c.Retain = -1 }, "pool_size": func(c *Config) { c.PoolSize = 1 },
	} {
		cfg := quick(&url.URL{Scheme: "postgres", Host: "127.0.0.1:1"})
		change(&cfg)
		_, err := Connect(context.Background(), cfg, nil)
		require.ErrorContains(t, err, name)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
	}
}

// A role without rights is told at once, and what to do. Where the tables are there, it needs no right to create any.
func TestPermissions(t *testing.T) {
	t.Parallel()
	uri := schema(t)
	space := uri.Query().Get("search_path")
	role := "leat_role_" + strings.ToLower(rand.Text())
	require.NoError(t, execute(uri.String(), "CREATE ROLE "+role+" LOGIN", "GRANT USAGE ON SCHEMA "+space+" TO "+role))
	t.Cleanup(func() { require.NoError(t, execute(uri.String(), "DROP OWNED BY "+role, "DROP ROLE "+role)) })
	poor := *uri
	poor.User = url.User(role)
	b := connect(t, quick(&poor))
	require.NoError(t, b.Ping(context.Background()))
	broker, err := b.Broker(pubsub.Options{Group: "g", CloseTimeout: time.Second})
	require.NoError(t, err)
	_, err = broker.Subscriber.Subscribe(context.Background(), "t")
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "grant the role")
	err = b.Publisher().Publish("t", samples(1)...)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "no message is at fault: %v", err)

	rich := connect(t, quick(uri))
	rich.subscribe(t, "g", "t")
	require.NoError(t, execute(uri.String(), "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "+space+" TO "+role,
		"GRANT USAGE ON ALL SEQUENCES IN SCHEMA "+space+" TO "+role))
	messages := b.subscribe(t, "g2", "t")
	require.NoError(t, b.Publisher().Publish("t", samples(1)...))
	receive(t, messages).Ack()
	require.NoError(t, broker.Subscriber.Close())
}

func TestBadNames(t *testing.T) {
	t.Parallel()
	b := connect(t, quick(server(t)))
	for topic, says := range map[string]string{
		"":                      "empty",
		`a"; DROP TABLE x; --`:  "characters",
		"a b":                   "characters",
		"тема":                  "characters",
		strings.Repeat("x", 46): "more than 45",
		"offsets_t":             "offsets of another topic",
	} {
		broker, err := b.Broker(pubsub.Options{Group: "g"})
		require.NoError(t, err)
		_, err = broker.Subscriber.Subscribe(context.Background(), topic)
		require.ErrorContains(t, err, says)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
		if topic != "" {
			err = b.Publisher().Publish(topic, samples(1)...)
			require.ErrorContains(t, err, says)
			require.Equal(t, fault.Invalid, fault.KindOf(err))
		}
		require.NoError(t, broker.Subscriber.Close())
	}
	for _, group := range []string{"", strings.Repeat("x", 256), "a\x00b", "\xff"} {
		_, err := b.Broker(pubsub.Options{Group: group})
		require.Equal(t, fault.Invalid, fault.KindOf(err), "group %q", group)
	}
}
