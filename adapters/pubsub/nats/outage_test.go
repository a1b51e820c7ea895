package nats

import (
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// none fails if a message comes within the time.
func none(t testing.TB, messages <-chan *message.Message, within time.Duration) {
	t.Helper()
	end := time.NewTimer(within)
	defer end.Stop()
	select {
	case msg, open := <-messages:
		if open {
			t.Fatalf("message %q came, with %v", msg.Payload, msg.Metadata)
		}
	case <-end.C:
	}
}

// A server that restarts loses no message, and takes the acks of what was in hand; the log says so once. Acks of just before the restart may not
// be on its disk yet: those messages, and no others, may come again.
func TestServerRestart(t *testing.T) {
	s := embedded(t)
	backend := dial(t, quick(s.ClientURL()))
	var log logs
	broker := join(t, backend, "g", func(o *pubsub.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	messages, err := broker.Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	require.NoError(t, broker.Publisher.Publish("events", numbered(0, 20)...))
	var held []*message.Message
	for range 20 {
		held = append(held, receive(t, messages))
	}
	for _, msg := range held[:10] {
		msg.Ack()
	}
	until(t, 5*time.Second, func() bool {
		lag, err := broker.Lag.Lag(t.Context(), "events")
		return err == nil && lag.Pending == 10
	}, func() string { return "the acks are not confirmed" })

	s = restart(t, s)
	for _, msg := range held[10:] {
		msg.Ack()
	}
	var publishing error
	until(t, 10*time.Second, func() bool {
		publishing = broker.Publisher.Publish("events", numbered(20, 1)...)
		return publishing == nil
	}, func() string { return publishing.Error() })
	for got := ""; got != "20"; {
		msg := receive(t, messages)
		got = string(msg.Payload)
		require.True(t, got == "20" || len(got) == 1, "message %s, acked after the restart, comes again", got)
		msg.Ack()
	}
	require.NoError(t, broker.Subscriber.Close())
	require.Equal(t, log.count("the broker does not serve the topic"), log.count("the broker serves the topic again"), log.text.String())
	require.LessOrEqual(t, log.count("the broker does not serve the topic"), 1, log.text.String())

	next, err := join(t, backend, "g").Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	for quiet := time.After(3 * time.Second); quiet != nil; {
		select {
		case msg := <-next:
			require.Len(t, msg.Payload, 1, "message %s, acked after the restart, comes again", msg.Payload)
			msg.Ack()
		case <-quiet:
			quiet = nil
		}
	}
	require.True(t, s.Running())
}

// A process that was cut off for longer than ack_wait is given its messages again by the server. It does not handle them twice.
func TestRedeliveredWhileHeld(t *testing.T) {
	through, cut, mend := link(t, embedded(t).ClientURL())
	config := quick(through)
	config.AckWait = 500 * time.Millisecond
	broker := join(t, dial(t, config), "g")
	messages, err := broker.Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	require.NoError(t, broker.Publisher.Publish("events", numbered(0, 5)...))
	var held []*message.Message
	for range 5 {
		held = append(held, receive(t, messages))
	}
	cut()
	err = broker.Publisher.Publish("events", numbered(5, 1)...)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	none(t, messages, 2*config.AckWait)
	mend()
	none(t, messages, 3*config.AckWait)
	for _, msg := range held {
		msg.Ack()
	}
	until(t, 10*time.Second, func() bool {
		lag, err := broker.Lag.Lag(t.Context(), "events")
		return err == nil && lag == pubsub.Lag{}
	}, func() string { return "the acks of redelivered messages do not count" })
	none(t, messages, 2*config.AckWait)
}

// What is on its way when a reader stops goes back at once, not after ack_wait.
func TestLateMessagesGoBack(t *testing.T) {
	s := embedded(t)
	config := quick(s.ClientURL())
	config.AckWait = time.Hour
	backend := dial(t, config)
	d, _, err := backend.durable(t.Context(), "events", "g", backend.log)
	require.NoError(t, err)
	late, err := openPull(backend.conn, &d, 100, time.Second)
	require.NoError(t, err)
	require.NoError(t, backend.Publisher().Publish("events", numbered(0, 3)...))
	request := []byte(`{"batch":100,"no_wait":true,"expires":900000000}`)
	require.NoError(t, backend.conn.PublishRequest(late.subject, late.inbox+".1", request))
	until(t, 5*time.Second, func() bool { return len(late.messages) >= 3 }, func() string { return "nothing was delivered" })
	require.NoError(t, late.handBack())

	messages, err := join(t, backend, "g").Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	for range 3 {
		msg := receive(t, messages)
		require.Equal(t, 2, delivery.Of(msg).Deliveries)
		msg.Ack()
	}
}

// Close hands back what no handler has received, so that another process need not wait for ack_wait.
func TestCloseHandsBackAtOnce(t *testing.T) {
	config := quick(embedded(t).ClientURL())
	config.AckWait = time.Hour
	backend := dial(t, config)
	first := join(t, backend, "g")
	messages, err := first.Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	require.NoError(t, first.Publisher.Publish("events", numbered(0, 150)...))
	for range 50 {
		receive(t, messages).Ack()
	}
	require.NoError(t, first.Subscriber.Close())
	messages, err = join(t, backend, "g").Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	seen := make(map[string]bool)
	for range 100 {
		msg := receive(t, messages)
		seen[string(msg.Payload)] = true
		msg.Ack()
	}
	require.Len(t, seen, 100)
	none(t, messages, 300*time.Millisecond)
}

// A password that changes while the connection is down does not end the client, which goes on when the right one counts again.
func TestReconnectAfterRefusal(t *testing.T) {
	s := embedded(t, func(o *server.Options) { o.Username, o.Password = "leat", secret })
	config := quick(s.ClientURL())
	config.User, config.Password, config.Timeout = "leat", secret, time.Second
	backend := dial(t, config)
	s = restart(t, s, func(o *server.Options) { o.Username, o.Password = "leat", secret+"x" })
	var err error
	until(t, 10*time.Second, func() bool {
		err = backend.Ping(t.Context())
		return fault.KindOf(err) == fault.Invalid
	}, func() string { return err.Error() })
	requireRefused(t, err, "credentials", "broker.nats.user")
	restart(t, s, func(o *server.Options) { o.Username, o.Password = "leat", secret })
	until(t, 10*time.Second, func() bool {
		err = backend.Ping(t.Context())
		return err == nil
	}, func() string { return err.Error() })
}

// A permission that was denied once is not why reading fails from then on.
func TestRefusalOfLongAgo(t *testing.T) {
	through, cut, mend := link(t, embedded(t).ClientURL())
	backend := dial(t, quick(through))
	var log logs
	broker := join(t, backend, "g", func(o *pubsub.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	messages, err := broker.Subscriber.Subscribe(t.Context(), "events")
	require.NoError(t, err)
	require.NoError(t, broker.Publisher.Publish("events", numbered(0, 1)...))
	receive(t, messages).Ack()
	until(t, 5*time.Second, func() bool { return broker.Subscriber.(*inflight.Subscriber[entry]).InHand("events") == 0 }, func() string { return "the ack is not confirmed" })
	backend.refused.Store(&refusal{natsgo.ErrPermissionViolation, time.Now().Add(-time.Minute)})
	cut()
	until(t, 10*time.Second, func() bool { return log.count("the broker does not serve the topic") == 1 }, func() string { return "the outage is not told" })
	require.Zero(t, log.count("ermission"), log.text.String())
	mend()
}
