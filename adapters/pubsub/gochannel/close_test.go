package gochannel

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/fault"
)

// What is lost with the process is told, in one line; what was acked is not.
func TestCloseTellsWhatIsLost(t *testing.T) {
	backend, log := opened(t, quick())
	broker := reader(t, backend, "g")
	messages := subscribe(t, broker, "read")
	require.NoError(t, broker.Publisher.Publish("read", numbered(t.Context(), 0, 10)...))
	require.NoError(t, broker.Publisher.Publish("unread", numbered(t.Context(), 0, 4)...))
	payloads(t, messages, 3)
	require.NoError(t, broker.Subscriber.Close())
	require.NoError(t, backend.Close())
	require.NoError(t, backend.Close())
	lines := log.lines("lost with the process")
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], `unacked=7 in_topics_that_nobody_reads=4 topics="[read unread]"`)
}

func TestCloseSaysNothingIfNothingIsLost(t *testing.T) {
	backend, log := opened(t, quick())
	broker := reader(t, backend, "g")
	messages := subscribe(t, broker, "topic")
	require.NoError(t, broker.Publisher.Publish("topic", numbered(t.Context(), 0, 10)...))
	payloads(t, messages, 10)
	require.NoError(t, broker.Subscriber.Close())
	require.NoError(t, backend.Close())
	require.Empty(t, log.String())
}

// A close ends publishers that wait, and those that come later.
func TestCloseEndsPublishers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := quick()
		config.Buffer = 4
		backend, _ := opened(t, config)
		broker := reader(t, backend, "g")
		subscribe(t, broker, "topic")
		require.NoError(t, broker.Publisher.Publish("topic", numbered(t.Context(), 0, 4)...))
		results := make(chan error, 2)
		for range 2 { // one has the turn, the other waits for it
			go func() { results <- broker.Publisher.Publish("topic", numbered(context.Background(), 4, 1)...) }()
		}
		synctest.Wait()
		began := time.Now()
		require.NoError(t, backend.Ping(t.Context()))
		require.NoError(t, backend.Close())
		results <- broker.Publisher.Publish("topic", numbered(t.Context(), 5, 1)...)
		for range 3 {
			err := <-results
			require.Equal(t, fault.Canceled, fault.KindOf(err))
			require.ErrorContains(t, err, `gochannel: publish to "topic": 0 of 1 messages were taken: the broker is closed`)
		}
		require.Zero(t, time.Since(began))
		require.Equal(t, fault.Unavailable, fault.KindOf(backend.Ping(t.Context())))
	})
}

// A publisher that is closed leaves the topics to the others.
func TestAPublisherEndsAlone(t *testing.T) {
	backend, _ := opened(t, quick())
	one, two := backend.Publisher(), backend.Publisher()
	require.NoError(t, one.Close())
	require.Equal(t, fault.Canceled, fault.KindOf(one.Publish("topic", numbered(t.Context(), 0, 1)...)))
	require.NoError(t, two.Publish("topic", numbered(t.Context(), 0, 1)...))
	require.Equal(t, pubsub.Lag{Waiting: 1}, lag(t, reader(t, backend, "g"), "topic"), "everything waits for a group that is still to come")
	require.Zero(t, lag(t, reader(t, backend, "g"), "other"))
	require.NoError(t, two.PublishFields(t.Context(), "fields", []pubsub.Field{{Name: "a", Value: "b"}}))
	require.Equal(t, []string{`{"a":"b"}`}, payloads(t, subscribe(t, reader(t, backend, "g"), "fields"), 1))
}

// What could not work is refused before anything is published.
func TestWrongUseIsInvalid(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"in_flight":       func(c *Config) { c.InFlight = 0 },
		"buffer":          func(c *Config) { c.Buffer = 1 },
		"buffer_bytes":    func(c *Config) { c.BufferBytes = 0 },
		"publish_timeout": func(c *Config) { c.PublishTimeout = 0 },
		"nack.delay":      func(c *Config) { c.Nack = inflight.Nack{} },
	} {
		t.Run(name, func(t *testing.T) {
			config := quick()
			change(&config)
			backend, _ := opened(t, config)
			_, err := backend.Broker(pubsub.Options{Group: "g"})
			for _, err := range []error{err, backend.Ping(t.Context()), backend.Publisher().Publish("topic", numbered(t.Context(), 0, 1)...)} {
				require.Equal(t, fault.Invalid, fault.KindOf(err))
				require.ErrorContains(t, err, name)
			}
		})
	}
	backend, _ := opened(t, quick())
	_, err := backend.Broker(pubsub.Options{})
	require.Equal(t, fault.Invalid, fault.KindOf(err), "no group")
	require.Equal(t, fault.Invalid, fault.KindOf(backend.Publisher().Publish("", numbered(t.Context(), 0, 1)...)), "no topic")
	_, err = reader(t, backend, "g").Subscriber.Subscribe(t.Context(), "")
	require.Equal(t, fault.Invalid, fault.KindOf(err), "no topic")
}

func TestCapabilities(t *testing.T) {
	backend, _ := opened(t, quick())
	want := pubsub.Capabilities{InFlight: 200, NackDelay: true, Order: pubsub.OrderTopic, Lag: true, MaxMessage: 16 << 20}
	require.Equal(t, want, backend.Capabilities())
	require.Equal(t, want, reader(t, backend, "g").Capabilities)
}
