package amqp

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/ThreeDotsLabs/watermill"
	stock "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
	rabbit "github.com/rabbitmq/amqp091-go"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

const (
	serverAddr = "127.0.0.1:5672"
	patience   = 10 * time.Second
)

func TestMain(m *testing.M) {
	// Watermill's suite abandons the readers that it multiplies.
	const multiplier = "github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe"
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(multiplier+".func2"), goleak.IgnoreAnyFunction(multiplier+".func3"))
}

// needServer skips the test where no RabbitMQ runs; in CI that is a failure.
func needServer(t testing.TB) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", serverAddr, time.Second)
	if err == nil {
		_ = conn.Close()
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("no RabbitMQ at %s: %v", serverAddr, err)
	}
	t.Skipf("no RabbitMQ at %s: %v", serverAddr, err)
}

func uri(addr string) string { return "amqp://guest:guest@" + addr + "/" }

// quick is a configuration that makes tests short.
func quick(addr string) Config {
	return Config{
		URI: uri(addr), Queue: Queue{Type: quorum}, InFlight: 200, MaxHold: 2 * time.Second,
		Nack:          inflight.Nack{Delay: 50 * time.Millisecond, MaxDelay: time.Second},
		MaxDeliveries: 2, Timeout: 5 * time.Second, PublishTimeout: 10 * time.Second, Heartbeat: 2 * time.Second,
	}
}

// connect opens a backend that ends with the test.
func connect(t testing.TB, config Config) *Backend {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	backend, err := Connect(ctx, config, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = backend.Close() })
	return backend
}

// open makes a group of the backend, which ends with the test.
func open(t testing.TB, backend *Backend, group string, change ...func(*pubsub.Options)) pubsub.Broker {
	t.Helper()
	options := pubsub.Options{Group: group, Namespace: "ns", DedupWindow: time.Hour, CloseTimeout: 300 * time.Millisecond}
	for _, c := range change {
		c(&options)
	}
	broker, err := backend.Broker(options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = broker.Subscriber.Close() })
	return broker
}

func subscribe(t testing.TB, broker pubsub.Broker, topic string) <-chan *message.Message {
	t.Helper()
	messages, err := broker.Subscriber.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	return messages
}

func receive(t testing.TB, messages <-chan *message.Message) *message.Message {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case msg, ok := <-messages:
		require.True(t, ok, "the channel is closed")
		return msg
	case <-timer.C:
		t.Fatal("no message came in time")
		return nil
	}
}

// none holds that no message comes for a while.
func none(t testing.TB, messages <-chan *message.Message, most time.Duration) {
	t.Helper()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case msg, ok := <-messages:
		if ok {
			t.Fatalf("message %q came", msg.Payload)
		}
	case <-timer.C:
	}
}

func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, 5*time.Millisecond, what)
}

// unique returns a topic that is removed from the server after the test, with the queues of the groups.
func unique(t testing.TB, groups ...string) string {
	t.Helper()
	needServer(t)
	topic := "leat-test-" + rand.Text()[:13]
	t.Cleanup(func() { forget(t, topic, groups...) })
	return topic
}

func forget(t testing.TB, topic string, groups ...string) {
	onServer(t, func(channel *rabbit.Channel) {
		require.NoError(t, channel.ExchangeDelete(topic, false, false))
		for _, group := range groups {
			_, err := channel.QueueDelete(topic+"_"+group, false, false, false)
			require.NoError(t, err)
		}
		_, err := channel.QueueDelete(topic, false, false, false)
		require.NoError(t, err)
	})
}

// onServer runs f on a channel of its own, without the code under test.
func onServer(t testing.TB, f func(*rabbit.Channel)) {
	t.Helper()
	conn, err := rabbit.Dial(uri(serverAddr))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	channel, err := conn.Channel()
	require.NoError(t, err)
	f(channel)
}

// startProxy puts a proxy before the server. Cut drops all its connections and refuses new ones, mend lets them in again.
func startProxy(t testing.TB) (proxy *toxiproxy.Proxy, cut, mend func()) {
	t.Helper()
	needServer(t)
	proxy = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "rabbitmq", "127.0.0.1:0", serverAddr)
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return proxy, proxy.Stop, func() { require.NoError(t, proxy.Start()) }
}

// stockConfig is the stock adapter's durable pub/sub, with the type of queue that leat declares.
func stockConfig(group, queueType string) stock.Config {
	config := stock.NewDurablePubSubConfig(uri(serverAddr), stock.GenerateQueueNameTopicNameWithSuffix(group))
	config.Queue.Arguments = rabbit.Table{rabbit.QueueTypeArg: queueType}
	return config
}

// newStock makes the stock adapter.
func newStock(t testing.TB, config stock.Config) (*stock.Publisher, *stock.Subscriber) {
	t.Helper()
	publisher, err := stock.NewPublisher(config, watermill.NopLogger{})
	require.NoError(t, err)
	subscriber, err := stock.NewSubscriber(config, watermill.NopLogger{})
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = subscriber.Close(), publisher.Close() })
	return publisher, subscriber
}
