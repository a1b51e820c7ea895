package nats

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

func TestMain(m *testing.M) {
	// Watermill's suite abandons the readers that it multiplies.
	const multiplier = "github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(multiplier+".func2"), goleak.IgnoreAnyFunction(multiplier+".func3"))
}

const (
	// sharedServer names the address of a real server, which tests share with others.
	sharedServer = "LEAT_TEST_NATS"
	sharedLocal  = "nats://127.0.0.1:4222"
)

// shared returns the address of the real server.
func shared(t testing.TB) string {
	t.Helper()
	address := os.Getenv(sharedServer)
	if address == "" {
		address = sharedLocal
	}
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(address, "nats://"), time.Second)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no NATS server at %s (%s): %v", address, sharedServer, err)
		}
		t.Skipf("no NATS server at %s (%s): %v", address, sharedServer, err)
	}
	_ = conn.Close()
	return address
}

// embedded starts a server with JetStream for the test.
func embedded(t testing.TB, change ...func(*server.Options)) *server.Server {
	t.Helper()
	options := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true}
	for _, c := range change {
		c(options)
	}
	s, err := server.NewServer(options)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(10*time.Second), "the embedded server is not ready")
	return s
}

// restart stops the server and starts it at the same address with what it had stored.
func restart(t testing.TB, s *server.Server, change ...func(*server.Options)) *server.Server {
	t.Helper()
	address := s.Addr().(*net.TCPAddr)
	dir := strings.TrimSuffix(s.JetStreamConfig().StoreDir, "/jetstream")
	s.Shutdown()
	s.WaitForShutdown()
	same := func(o *server.Options) { o.Port, o.StoreDir = address.Port, dir }
	return embedded(t, append(change, same)...)
}

// quick are settings that make a test short.
func quick(address string) Config {
	return Config{
		URLs: []string{address}, Timeout: 5 * time.Second, AckWait: 2 * time.Second, InFlight: 200, Fetch: 100, MaxAckPending: 5000,
		Nack:          inflight.Nack{Delay: 50 * time.Millisecond, MaxDelay: time.Second},
		MaxDeliveries: 2,
		Stream:        Stream{Storage: File, Replicas: 1, Duplicates: time.Minute},
	}
}

// dial connects as its own process; the test closes it.
func dial(t testing.TB, config Config) *Backend {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	backend, err := Connect(ctx, config, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = backend.Close() })
	return backend
}

// join makes a broker that ends with the test.
func join(t testing.TB, backend *Backend, group string, change ...func(*pubsub.Options)) pubsub.Broker {
	t.Helper()
	options := pubsub.Options{Namespace: "ns", Group: group, CloseTimeout: time.Second}
	for _, c := range change {
		c(&options)
	}
	broker, err := backend.Broker(options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = broker.Subscriber.Close() })
	return broker
}

// link puts a proxy before a server, whose connections a test can cut.
func link(t testing.TB, to string) (through string, cut, mend func()) {
	t.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(api, "nats", "127.0.0.1:0", strings.TrimPrefix(to, "nats://"))
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return "nats://" + proxy.Listen, proxy.Stop, func() { require.NoError(t, proxy.Start()) }
}

// drop removes the stream of a topic, with its consumers.
func drop(t testing.TB, address, topic string) {
	backend := dial(t, quick(address))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	name, err := backend.js.StreamNameBySubject(ctx, topic)
	if err == nil {
		err = backend.js.DeleteStream(ctx, name)
	}
	if err != nil {
		require.ErrorIs(t, err, jetstream.ErrStreamNotFound)
	}
	require.NoError(t, backend.Close())
}

// unique is a topic or group of one test.
func unique(t testing.TB) string {
	return "leat_test_" + watermill.NewShortUUID()
}

// until waits for what must come to hold.
func until(t testing.TB, within time.Duration, holds func() bool, describe func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(within)
	defer end.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("not within %s: %s", within, describe())
		}
	}
}

// receive returns the next message.
func receive(t testing.TB, messages <-chan *message.Message) *message.Message {
	t.Helper()
	end := time.NewTimer(15 * time.Second)
	defer end.Stop()
	select {
	case msg, open := <-messages:
		require.True(t, open, "the channel was closed")
		return msg
	case <-end.C:
		t.Fatal("no message within 15s")
		return nil
	}
}
