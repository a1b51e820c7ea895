package kafka

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/Shopify/toxiproxy/v2"
	"github.com/ThreeDotsLabs/watermill"
	stock "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// multiplier is how Watermill's own suite subscribes several times; it leaves goroutines behind that wait for messages.
const multiplier = "github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe"

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(multiplier+".func2"), goleak.IgnoreAnyFunction(multiplier+".func3"),
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick")) // sarama's, for ever
}

// realKafka names the addresses of a real cluster, with commas between. Tests that inject faults use kfake all the same.
const realKafka = "LEAT_TEST_KAFKA"

// cluster returns the addresses of the real cluster, else of a fake one that ends with the test.
func cluster(t testing.TB) []string {
	if addresses := os.Getenv(realKafka); addresses != "" {
		return strings.Split(addresses, ",")
	}
	return fake(t).ListenAddrs()
}

func fake(t testing.TB, more ...kfake.Opt) *kfake.Cluster {
	c, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(3),
	}, more...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// session is the session timeout of tests; a real cluster does not take less than 6 s by default.
func session() time.Duration {
	if os.Getenv(realKafka) != "" {
		return 6 * time.Second
	}
	return 2 * time.Second
}

// quick are settings that make a test short.
func quick(brokers []string) Config {
	return Config{
		Brokers: brokers, ClientID: "leat", Timeout: 10 * time.Second, SessionTimeout: session(),
		InFlight: 200, MaxAhead: 1000, MaxMessageBytes: 1 << 20,
		Nack:  inflight.Nack{Delay: 50 * time.Millisecond, MaxDelay: time.Second},
		Topic: Topic{Partitions: 3, Replication: -1},
	}
}

// dial connects as its own process; the test closes it.
func dial(t testing.TB, config Config, more ...kgo.Opt) *Backend {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	backend, err := connect(ctx, config, nil, more...)
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

// proxies stand between a client and each broker that it dials, whatever address the brokers advertise.
type proxies struct {
	server *toxiproxy.ApiServer

	mu  sync.Mutex
	of  map[string]*toxiproxy.Proxy
	cut bool
}

func newProxies(t testing.TB) *proxies {
	p := &proxies{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), of: make(map[string]*toxiproxy.Proxy)}
	t.Cleanup(p.stop)
	return p
}

func (p *proxies) dial(ctx context.Context, network, to string) (net.Conn, error) {
	through, err := p.through(to)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, through)
}

func (p *proxies) through(to string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	proxy := p.of[to]
	if proxy == nil {
		proxy = toxiproxy.NewProxy(p.server, to, "127.0.0.1:0", to)
		if err := proxy.Start(); err != nil {
			return "", err
		}
		if p.cut {
			proxy.Stop()
		}
		p.of[to] = proxy
	}
	return proxy.Listen, nil
}

// stop drops all connections and refuses new ones.
func (p *proxies) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for _, proxy := range p.of {
		proxy.Stop()
	}
}

// start lets connections in again.
func (p *proxies) start(t testing.TB) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	for _, proxy := range p.of {
		require.NoError(t, proxy.Start())
	}
}

// stockAdapter is watermill-kafka, as its README configures it, but that it reads from the beginning and loses its session soon.
func stockAdapter(t testing.TB, brokers []string, group string) (message.Publisher, message.Subscriber) {
	reading := stock.DefaultSaramaSubscriberConfig()
	reading.Consumer.Offsets.Initial = sarama.OffsetOldest
	reading.Consumer.Group.Session.Timeout = session()
	reading.Consumer.Group.Heartbeat.Interval = session() / 4
	publisher, err := stock.NewPublisher(stock.PublisherConfig{Brokers: brokers, Marshaler: stock.DefaultMarshaler{}}, watermill.NopLogger{})
	require.NoError(t, err)
	subscriber, err := stock.NewSubscriber(stock.SubscriberConfig{
		Brokers: brokers, Unmarshaler: stock.DefaultMarshaler{}, OverwriteSaramaConfig: reading, ConsumerGroup: group,
		InitializeTopicDetails: &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1},
	}, watermill.NopLogger{})
	require.NoError(t, err)
	return publisher, subscriber
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
