package gochannel

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick is a configuration that makes a test short.
func quick() Config {
	return Config{
		InFlight: 200, Buffer: 10000, BufferBytes: 16 << 20, PublishTimeout: 5 * time.Second,
		Nack: inflight.Nack{Delay: 50 * time.Millisecond, MaxDelay: time.Second},
	}
}

// opened is a backend that ends with the test, and what it writes to its log.
func opened(t testing.TB, config Config) (*Backend, *logText) {
	t.Helper()
	text := &logText{}
	backend := New(config, slog.New(slog.NewTextHandler(text, nil)))
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	return backend, text
}

// reader is a group's broker that ends with the test.
func reader(t testing.TB, backend *Backend, group string) pubsub.Broker {
	t.Helper()
	broker, err := backend.Broker(pubsub.Options{Group: group, Namespace: "ns", DedupWindow: time.Minute, CloseTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Subscriber.Close()) })
	return broker
}

func subscribe(t testing.TB, broker pubsub.Broker, topic string) <-chan *message.Message {
	t.Helper()
	messages, err := broker.Subscriber.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	return messages
}

// numbered are messages whose payloads are the numbers from first on.
func numbered(ctx context.Context, first, n int) []*message.Message {
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = message.NewMessageWithContext(ctx, watermill.NewUUID(), fmt.Append(nil, first+i))
	}
	return messages
}

// receive returns the next message.
func receive(t testing.TB, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, open := <-messages:
		require.True(t, open, "the channel is closed")
		return msg
	case <-time.After(10 * time.Second):
		require.Fail(t, "no message came")
		return nil
	}
}

// payloads receives and acks n messages.
func payloads(t testing.TB, messages <-chan *message.Message, n int) (got []string) {
	t.Helper()
	for range n {
		msg := receive(t, messages)
		got = append(got, string(msg.Payload))
		msg.Ack()
	}
	return got
}

// numbers are the payloads of numbered.
func numbers(first, n int) (want []string) {
	for i := range n {
		want = append(want, fmt.Sprint(first+i))
	}
	return want
}

// lag is that of the group.
func lag(t testing.TB, broker pubsub.Broker, topic string) pubsub.Lag {
	t.Helper()
	l, err := broker.Lag.Lag(t.Context(), topic)
	require.NoError(t, err)
	return l
}

// until waits until the condition holds.
func until(t testing.TB, holds func() bool, what string) {
	t.Helper()
	require.Eventually(t, holds, 10*time.Second, time.Millisecond, what)
}

// logText is a log that may be read while it is written.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lines are those that contain the text.
func (l *logText) lines(containing string) (found []string) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, containing) {
			found = append(found, line)
		}
	}
	return found
}
