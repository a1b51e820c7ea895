package sql

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// local is the server that tests use unless LEAT_TEST_POSTGRES_URI names another.
const local = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"

func TestMain(m *testing.M) {
	// Watermill's suite abandons the readers that it multiplies.
	const multiplier = "github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(multiplier+".func2"), goleak.IgnoreAnyFunction(multiplier+".func3"),
		goleak.Cleanup(func(code int) {
			if err := dropDatabase(); err != nil {
				fmt.Fprintln(os.Stderr, "drop the database of the tests:", err)
				code = 1
			}
			os.Exit(code)
		}))
}

// database is that of this package's tests.
var database struct {
	sync.Once
	server, name string
	err          error
}

func createDatabase() {
	database.server = os.Getenv("LEAT_TEST_POSTGRES_URI")
	if database.server == "" {
		database.server = local
	}
	database.name = "leat_test_" + strings.ToLower(rand.Text())
	if database.err = execute(database.server, "CREATE DATABASE "+database.name); database.err != nil {
		database.name = ""
	}
}

func dropDatabase() error {
	if database.name == "" {
		return nil
	}
	return execute(database.server, "DROP DATABASE "+database.name+" WITH (FORCE)")
}

func execute(uri string, statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, uri)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// server returns the URI of a database that the tests of this package share. Without a server the test is skipped, or fails where
// the environment says CI=true.
func server(t testing.TB) *url.URL {
	t.Helper()
	database.Do(createDatabase)
	if database.err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no PostgreSQL for this test (LEAT_TEST_POSTGRES_URI): %v", database.err)
		}
		t.Skipf("no PostgreSQL for this test (LEAT_TEST_POSTGRES_URI): %v", database.err)
	}
	uri, err := url.Parse(database.server)
	require.NoError(t, err)
	uri.Path = "/" + database.name
	return uri
}

// schema returns the URI of the server with an empty schema, which is dropped when the test ends.
func schema(t testing.TB) *url.URL {
	t.Helper()
	uri := server(t)
	name := "leat_" + strings.ToLower(rand.Text())
	require.NoError(t, execute(uri.String(), "CREATE SCHEMA "+name))
	t.Cleanup(func() { require.NoError(t, execute(server(t).String(), "DROP SCHEMA "+name+" CASCADE")) })
	query := uri.Query()
	query.Set("search_path", name)
	uri.RawQuery = query.Encode()
	return uri
}

// quick are settings that keep tests short.
func quick(uri *url.URL) Config {
	return Config{
		URI: uri.String(), Consumer: "c", InFlight: 200, Count: 100, Poll: 100 * time.Millisecond, Lease: 2 * time.Second,
		Nack: inflight.Nack{Delay: 50 * time.Millisecond, MaxDelay: time.Second}, MaxDeliveries: 2, PoolSize: 4, Timeout: 3 * time.Second,
	}
}

// connect opens a backend that the test closes, at the latest when it ends.
func connect(t testing.TB, cfg Config) *Backend {
	t.Helper()
	b, err := Connect(context.Background(), cfg, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// query returns the one value that a statement selects.
func query[T any](t testing.TB, b *Backend, statement string, args ...any) (value T) {
	t.Helper()
	require.NoError(t, b.pool.QueryRow(context.Background(), statement, args...).Scan(&value), statement)
	return value
}

// until waits for a condition.
func until(t testing.TB, within time.Duration, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, within, 2*time.Millisecond)
}

// proxied returns the URI by way of a proxy of the test, which cuts all connections and refuses new ones, until it is mended.
func proxied(t testing.TB, uri *url.URL) (through *url.URL, cut, mend func()) {
	t.Helper()
	logger := zerolog.Nop()
	control := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), logger)
	host := uri.Host
	if uri.Port() == "" {
		host += ":5432"
	}
	proxy := toxiproxy.NewProxy(control, "postgres", "127.0.0.1:0", host)
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	copied := *uri
	copied.Host = proxy.Listen
	return &copied, proxy.Stop, func() {
		require.Eventually(t, func() bool { return proxy.Start() == nil }, 5*time.Second, 10*time.Millisecond)
	}
}

// subscribe reads a topic in a group until the test ends.
func (b *Backend) subscribe(t testing.TB, group, topic string) <-chan *message.Message {
	t.Helper()
	_, messages := b.open(t, group, topic)
	return messages
}

// open reads a topic in a group until the test ends, or the subscriber is closed.
func (b *Backend) open(t testing.TB, group, topic string) (pubsub.Broker, <-chan *message.Message) {
	t.Helper()
	broker, err := b.Broker(pubsub.Options{Group: group, CloseTimeout: 2 * time.Second})
	require.NoError(t, err)
	messages, err := broker.Subscriber.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	t.Cleanup(func() { _ = broker.Subscriber.Close() })
	return broker, messages
}

func receive(t testing.TB, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, open := <-messages:
		require.True(t, open, "the channel was closed")
		return msg
	case <-time.After(10 * time.Second):
		t.Fatal("no message in 10s")
		return nil
	}
}

func receiveAll(t testing.TB, messages <-chan *message.Message, n int) (all []*message.Message) {
	t.Helper()
	for range n {
		all = append(all, receive(t, messages))
	}
	return all
}

// none asserts that no message comes for a while.
func none(t testing.TB, while time.Duration, messages <-chan *message.Message) {
	t.Helper()
	select {
	case msg := <-messages:
		t.Fatalf("message %v came", msg)
	case <-time.After(while):
	}
}

// newSourceFor returns a prepared source that only the test reads, keeps and closes.
func newSourceFor(t testing.TB, b *Backend, topic string) *source {
	t.Helper()
	_, s := b.openSource(t, topic, pubsub.Options{Group: "g", CloseTimeout: time.Second, Gate: closedGate()}, func(s *source) inflight.Source[entry] {
		return parked{s}
	})
	return s
}

// openSource subscribes, and returns the source behind it too.
func (b *Backend) openSource(t testing.TB, topic string, options pubsub.Options, wrap func(*source) inflight.Source[entry]) (<-chan *message.Message, *source) {
	t.Helper()
	var s *source
	subscriber, err := inflight.NewSubscriber(inflight.Options{
		Options: options, Backend: "sql", InFlight: b.cfg.InFlight, Nack: b.cfg.Nack, MaxDeliveries: b.cfg.MaxDeliveries, Positions: true,
	}, func(name string, sub *inflight.Subscription[entry]) (inflight.Source[entry], error) {
		var err error
		s, err = newSource(b, options, name, sub)
		return wrap(s), err
	})
	require.NoError(t, err)
	messages, err := subscriber.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, subscriber.Close()) })
	return messages, s
}

// parked is a source that the subscription neither keeps nor closes.
type parked struct{ *source }

func (parked) Keep(context.Context)        {}
func (parked) Close(context.Context) error { return nil }

// gate stops a reader for good once it is closed.
type gate struct {
	closed  atomic.Bool
	waiting atomic.Bool
}

func (g *gate) Wait(ctx context.Context) error {
	if !g.closed.Load() {
		return nil
	}
	g.waiting.Store(true)
	<-ctx.Done()
	return ctx.Err()
}

func closedGate() *gate {
	g := &gate{}
	g.closed.Store(true)
	return g
}

// settled waits until no transaction of the server hides messages of the topic, as those of other tests may.
func (b *Backend) settled(t testing.TB, topic string) {
	t.Helper()
	until(t, 10*time.Second, func() bool {
		return query[bool](t, b, "SELECT NOT EXISTS (SELECT FROM "+messagesTable(topic)+" WHERE transaction_id >= pg_snapshot_xmin(pg_current_snapshot()))")
	})
}
