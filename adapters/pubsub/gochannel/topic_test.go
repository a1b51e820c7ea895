package gochannel

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// A publisher waits while the topic is full and somebody reads it.
func TestPublishersWaitForReaders(t *testing.T) {
	config := quick()
	config.InFlight, config.Buffer = 2, 10
	backend, _ := opened(t, config)
	broker := reader(t, backend, "g")
	messages := subscribe(t, broker, "topic")
	require.NoError(t, broker.Publisher.Publish("topic", numbered(t.Context(), 0, 5)...))
	require.NoError(t, broker.Publisher.Publish("topic", numbered(t.Context(), 5, 5)...))

	published := make(chan error, 1)
	go func() { published <- broker.Publisher.Publish("topic", numbered(context.Background(), 10, 2)...) }()
	first := receive(t, messages)
	select {
	case err := <-published:
		t.Fatalf("the topic is full, but: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	first.Ack()
	second := receive(t, messages)
	select {
	case err := <-published:
		t.Fatalf("there is room for one of two, but: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	second.Ack()
	require.NoError(t, <-published)
	require.Equal(t, "0", string(first.Payload))
	require.Equal(t, "1", string(second.Payload))
	require.Equal(t, numbers(2, 10), payloads(t, messages, 10))
}

// Whoever does not get room in time is told so, and that nothing or how much was taken.
func TestPublishersGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := quick()
		config.Buffer = 10
		backend, _ := opened(t, config)
		broker := reader(t, backend, "g")
		subscribe(t, broker, "topic")
		publisher := broker.Publisher
		require.NoError(t, publisher.Publish("topic", numbered(t.Context(), 0, 8)...))

		began := time.Now()
		err := publisher.Publish("topic", numbered(t.Context(), 8, 3)...)
		require.Equal(t, config.PublishTimeout, time.Since(began))
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
		require.Equal(t, CodeFull, fault.Of(err).Code)
		require.EqualError(t, err, `gochannel: publish to "topic": 0 of 3 messages were taken: the topic is full (8 messages, 296 bytes) and had no room within 5s: its handlers do not keep up; publish slower, or see broker.gochannel.buffer and buffer_bytes`)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		err = publisher.Publish("topic", numbered(ctx, 8, 3)...)
		require.Equal(t, time.Second, time.Since(began), "the context bounds the call")
		require.Equal(t, CodeFull, fault.Of(err).Code, "its deadline is one more limit")

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		err = publisher.Publish("topic", numbered(ctx, 8, 3)...)
		require.Equal(t, fault.Canceled, fault.KindOf(err))
		err = publisher.Publish("topic", numbered(ctx, 8, 1)...)
		require.Equal(t, fault.Canceled, fault.KindOf(err), "it has ended before, though there is room")

		err = publisher.Publish("other", numbered(t.Context(), 0, 12)...)
		require.NoError(t, err, "another topic has room")
		require.Equal(t, pubsub.Lag{Pending: 8}, lag(t, broker, "topic"), "what was refused is not there")
	})
}

// A call that is larger than half the topic goes in by portions.
func TestLargeCallsGoInByPortions(t *testing.T) {
	config := quick()
	config.Buffer, config.InFlight = 10, 3
	backend, _ := opened(t, config)
	broker := reader(t, backend, "g")
	messages := subscribe(t, broker, "topic")
	published := make(chan error, 1)
	go func() { published <- broker.Publisher.Publish("topic", numbered(context.Background(), 0, 137)...) }()
	require.Equal(t, numbers(0, 137), payloads(t, messages, 137))
	require.NoError(t, <-published)
}

// Bytes bound a topic as the number of messages does, and a message that can never fit is refused at once.
func TestBytesBoundATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := quick()
		config.BufferBytes = 4096
		backend, _ := opened(t, config)
		broker := reader(t, backend, "g")
		messages := subscribe(t, broker, "topic")
		sized := func(n int) error {
			msg := numbered(t.Context(), 0, 1)[0]
			msg.Payload = make([]byte, n-len(msg.UUID)-len("key")-len("value"))
			msg.Metadata.Set("key", "value")
			return broker.Publisher.Publish("topic", msg)
		}
		err := sized(4097)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
		require.ErrorContains(t, err, "has 4097 bytes, more than broker.gochannel.buffer_bytes (4096)")
		require.NoError(t, sized(4096))
		require.Equal(t, CodeFull, fault.Of(sized(60)).Code)
		receive(t, messages).Ack()
		require.NoError(t, sized(60))
	})
}

// Waiting publishers get their turn in the order in which they came, so that small calls do not starve a large one.
func TestALargeCallIsNotStarved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := quick()
		config.InFlight, config.Buffer = 1, 10
		backend, _ := opened(t, config)
		broker := reader(t, backend, "g")
		messages := subscribe(t, broker, "topic")
		require.NoError(t, broker.Publisher.Publish("topic", numbered(t.Context(), 0, 10)...))
		results := make(chan string, 11)
		publish := func(name string, n int) {
			go func() {
				if err := broker.Publisher.Publish("topic", numbered(context.Background(), 100, n)...); err != nil {
					name = err.Error()
				}
				results <- name
			}()
			synctest.Wait()
		}
		publish("large", 5)
		for range 10 {
			publish("small", 1)
		}
		for range 5 {
			receive(t, messages).Ack()
		}
		require.Equal(t, "large", <-results)
		for range 10 {
			receive(t, messages).Ack()
			require.Equal(t, "small", <-results)
		}
	})
}

// A topic that nobody reads keeps the newest messages, and says how many it dropped, once a minute.
func TestATopicThatNobodyReadsKeepsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := quick()
		config.Buffer = 100
		backend, log := opened(t, config)
		publisher := backend.Publisher()
		const told = "nobody reads the topic"
		require.NoError(t, publisher.Publish("topic", numbered(t.Context(), 0, 100)...))
		require.Empty(t, log.lines(told))
		for n := range 250 {
			require.NoError(t, publisher.Publish("topic", numbered(t.Context(), 100+n, 1)...), "nobody waits")
			time.Sleep(time.Second)
		}
		lines := log.lines(told)
		require.Len(t, lines, 5, "250 drops in 250 seconds")
		require.Contains(t, lines[0], "topic=topic dropped=1 dropped_in_all=1")
		require.Contains(t, lines[4], "topic=topic dropped=60 dropped_in_all=241")

		messages := subscribe(t, reader(t, backend, "g"), "topic")
		require.Equal(t, numbers(250, 100), payloads(t, messages, 100))
		require.NoError(t, backend.Close())
		require.Contains(t, log.lines(told)[5], "dropped=9 dropped_in_all=250", "the rest at the end")
	})
}

// A group that has gone counts as nobody: it keeps its place while there is room, and holds up nobody who reads.
func TestAGroupThatIsGoneHoldsNobodyUp(t *testing.T) {
	config := quick()
	config.Buffer = 100
	backend, _ := opened(t, config)
	gone, living := reader(t, backend, "gone"), reader(t, backend, "living")
	messages := subscribe(t, gone, "topic")
	require.NoError(t, backend.Publisher().Publish("topic", numbered(t.Context(), 0, 10)...))
	for _, want := range numbers(0, 10) {
		require.Equal(t, want, string(receive(t, messages).Payload)) // without an outcome
	}
	require.NoError(t, gone.Subscriber.Close())
	require.Equal(t, pubsub.Lag{Waiting: 10}, lag(t, gone, "topic"), "they wait again")

	messages = subscribe(t, living, "topic")
	first := receive(t, messages) // and keeps it
	require.Equal(t, "0", string(first.Payload))
	require.Equal(t, numbers(1, 9), payloads(t, messages, 9))
	for n := range 500 {
		require.NoError(t, backend.Publisher().Publish("topic", numbered(t.Context(), 10+n, 1)...))
		require.Equal(t, numbers(10+n, 1), payloads(t, messages, 1))
	}
	until(t, func() bool { return lag(t, living, "topic") == pubsub.Lag{Pending: 1} }, "all but one are acked")
	require.Equal(t, pubsub.Lag{Waiting: 100}, lag(t, gone, "topic"))

	again := reader(t, backend, "gone")
	messages = subscribe(t, again, "topic")
	got := payloads(t, messages, 100)
	require.Equal(t, "0", got[0], "it is kept for the one who has it")
	require.Equal(t, numbers(411, 99), got[1:], "the newest are kept")
	first.Ack()
	until(t, func() bool { return backend.topic("topic").held() == 0 }, "what every group has acked is gone")
}

// Two subscriptions of a group share its messages; what one gives back comes to the other, before newer ones.
func TestSubscriptionsOfAGroupShare(t *testing.T) {
	config := quick()
	config.InFlight = 5
	backend, _ := opened(t, config)
	one, two := reader(t, backend, "g"), reader(t, backend, "g")
	require.NoError(t, backend.Publisher().Publish("topic", numbered(t.Context(), 0, 12)...))
	held := subscribe(t, one, "topic")
	for _, want := range numbers(0, 5) {
		require.Equal(t, want, string(receive(t, held).Payload))
	}
	messages := subscribe(t, two, "topic")
	require.Equal(t, numbers(5, 3), payloads(t, messages, 3))
	fourth := receive(t, messages)
	require.Equal(t, "8", string(fourth.Payload))
	require.NoError(t, one.Subscriber.Close())
	require.Equal(t, numbers(9, 1), payloads(t, messages, 1)[:1])
	rest := payloads(t, messages, 7)
	require.Subset(t, rest, numbers(0, 5), "what was held by the other")
	at := func(payload string) int {
		for n, p := range rest {
			if p == payload {
				return n
			}
		}
		return -1
	}
	require.Less(t, at("0"), at("1"))
	require.Less(t, at("1"), at("4"))
	fourth.Ack()
	until(t, func() bool { return lag(t, two, "topic") == pubsub.Lag{} }, "everything is acked")
}

// What a message holds is the subscriber's own: neither the publisher nor another group sees what a handler does to it.
func TestMessagesAreCopies(t *testing.T) {
	backend, _ := opened(t, quick())
	one, two := reader(t, backend, "one"), reader(t, backend, "two")
	sent := numbered(t.Context(), 7, 1)[0]
	sent.Payload = []byte("payload")
	sent.Metadata.Set("key", "value")
	require.NoError(t, backend.Publisher().Publish("topic", sent))
	spoil := func(payload []byte, metadata map[string]string) {
		copy(payload, strings.Repeat("x", len(payload)))
		clear(metadata)
	}
	spoil(sent.Payload, sent.Metadata)
	first, second := subscribe(t, one, "topic"), subscribe(t, two, "topic")
	msg := receive(t, first)
	for range 2 {
		require.Equal(t, "payload", string(msg.Payload))
		require.Equal(t, "value", msg.Metadata["key"])
		spoil(msg.Payload, msg.Metadata)
		msg.Nack()
		msg = receive(t, first)
	}
	msg.Ack()
	other := receive(t, second)
	require.Equal(t, "payload", string(other.Payload))
	require.Equal(t, "value", other.Metadata["key"])
	other.Ack()
}

// What messages say about their delivery.
func TestDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend, _ := opened(t, quick())
		broker := reader(t, backend, "g")
		messages := subscribe(t, broker, "topic")
		require.NoError(t, broker.Publisher.Publish("topic", numbered(t.Context(), 0, 1)...))
		published := time.Now()
		msg := receive(t, messages)
		info := delivery.Of(msg)
		require.Equal(t, delivery.Info{Source: "ns:topic", Deliveries: 1, PublishedAt: time.UnixMilli(published.UnixMilli())}, info)
		require.Equal(t, "g", msg.Metadata[delivery.KeyGroup])

		floors, err := broker.Floors.Floors(t.Context(), "topic")
		require.NoError(t, err)
		window := uint64(published.Add(-time.Minute).UnixMilli())
		require.Equal(t, map[string]delivery.Position{"ns:topic": {Major: window}}, floors)
		time.Sleep(3 * time.Minute)
		floors, err = broker.Floors.Floors(t.Context(), "topic")
		require.NoError(t, err)
		require.Equal(t, map[string]delivery.Position{"ns:topic": {Major: uint64(published.UnixMilli())}}, floors, "a message in hand holds the floor")
		msg.Ack()
		time.Sleep(time.Second)
		floors, err = broker.Floors.Floors(t.Context(), "topic")
		require.NoError(t, err)
		require.Equal(t, map[string]delivery.Position{"ns:topic": {Major: uint64(time.Now().Add(-time.Minute).UnixMilli())}}, floors)
	})
}

// held is how many messages the topic holds.
func (t *topic) held() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}
