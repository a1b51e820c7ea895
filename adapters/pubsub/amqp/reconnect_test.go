package amqp

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	rabbit "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// journal is a log that many write and a test reads.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), text)
}

func (j *journal) into(o *pubsub.Options) { o.Logger = slog.New(slog.NewTextHandler(j, nil)) }

// counts observes events.
type counts struct {
	mu sync.Mutex
	n  map[pubsub.Event]int
}

func (c *counts) into(o *pubsub.Options) {
	c.n = make(map[pubsub.Event]int)
	o.Observe = func(_ string, event pubsub.Event, n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.n[event] += n
	}
}

func (c *counts) of(event pubsub.Event) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[event]
}

// A channel that dies takes its deliveries along: they are lost here, acked nowhere, and come again. The log has one line
// when that begins and one when it is over.
func TestChannelDies(t *testing.T) {
	topic := unique(t, "g")
	proxy, cut, mend := startProxy(t)
	log, seen := &journal{}, &counts{}
	backend := connect(t, quick(proxy.Listen))
	messages := subscribe(t, open(t, backend, "g", log.into, seen.into), topic)
	publish(t, connect(t, quick(serverAddr)), topic, "1", "2", "3")
	held := []*message.Message{receive(t, messages), receive(t, messages), receive(t, messages)}
	cut()
	until(t, "the loss is noticed", func() bool { return seen.of(pubsub.EventLost) == 3 })
	held[0].Ack()
	held[1].Nack()
	mend()
	again := map[string]bool{}
	for range 3 {
		msg := receive(t, messages)
		require.Equal(t, 2, delivery.Of(msg).Deliveries)
		again[string(msg.Payload)] = true
		msg.Ack()
	}
	require.Len(t, again, 3, "what was lost comes again, the acked one too: its ack came to nobody")
	held[2].Ack()
	none(t, messages, 300*time.Millisecond)
	require.Equal(t, 1, log.count("level=WARN"))
	require.Equal(t, 1, log.count("serves the topic again"))
	until(t, "all is acked", func() bool {
		return ready(t, topic+"_g") == 0 && ready(t, topic) == 0 && seen.of(pubsub.EventAcked) == 5
	})
}

// A server that hangs is noticed by the timeout, and nothing is lost.
func TestServerHangs(t *testing.T) {
	topic := unique(t, "g")
	proxy, _, _ := startProxy(t)
	config := quick(proxy.Listen)
	config.Timeout = 500 * time.Millisecond
	backend := connect(t, config)
	messages := subscribe(t, open(t, backend, "g"), topic)
	outside := connect(t, quick(serverAddr))
	publish(t, outside, topic, "1")
	publish(t, backend, topic, "2")
	for range 2 {
		receive(t, messages).Ack()
	}
	for _, stream := range []string{"upstream", "downstream"} {
		_, err := proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"name":%q,"type":"timeout","stream":%q,"attributes":{"timeout":0}}`, stream, stream)))
		require.NoError(t, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := backend.Publisher().Publish(topic, texts(ctx, "x")...)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	err = backend.Ping(ctx)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	require.Less(t, time.Since(began), 5*time.Second)
	for _, stream := range []string{"upstream", "downstream"} {
		require.NoError(t, proxy.Toxics.RemoveToxic(context.Background(), stream))
	}
	publish(t, outside, topic, "3")
	want := map[string]bool{"3": true}
	for len(want) > 0 {
		msg := receive(t, messages)
		delete(want, string(msg.Payload)) // x may have come, and what was acked in vain
		msg.Ack()
	}
}

// A queue that is deleted is declared again, with one line of warning; what is published afterwards comes.
func TestQueueDeleted(t *testing.T) {
	for _, which := range []string{"of the group", "of the topic"} {
		t.Run(which, func(t *testing.T) {
			topic := unique(t, "g")
			log := &journal{}
			backend := connect(t, quick(serverAddr))
			messages := subscribe(t, open(t, backend, "g", log.into), topic)
			publish(t, backend, topic, "1")
			held := receive(t, messages)
			queue := topic + "_g"
			if which == "of the topic" {
				queue = topic
			}
			onServer(t, func(channel *rabbit.Channel) {
				_, err := channel.QueueDelete(queue, false, false, false)
				require.NoError(t, err)
			})
			until(t, "it is there again", func() bool { return log.count("serves the topic again") == 1 })
			require.Equal(t, 1, log.count("level=WARN"))
			require.Equal(t, 1, log.count("was the queue deleted?"))
			held.Ack()
			publish(t, backend, topic, "2")
			for {
				msg := receive(t, messages)
				msg.Ack()
				if string(msg.Payload) == "2" {
					break
				}
				require.Equal(t, "1", string(msg.Payload))
			}
		})
	}
}

// A subscription that begins while the server is away gets its messages when that is over.
func TestSubscribeDuringOutage(t *testing.T) {
	topic := unique(t, "g")
	proxy, cut, mend := startProxy(t)
	backend := connect(t, quick(proxy.Listen))
	cut()
	messages := subscribe(t, open(t, backend, "g"), topic)
	publish(t, connect(t, quick(serverAddr)), topic, "1")
	mend()
	receive(t, messages).Ack()
}

// A stop while the server is away says what it could not tell.
func TestCloseDuringOutage(t *testing.T) {
	topic := unique(t, "g")
	proxy, cut, _ := startProxy(t)
	backend := connect(t, quick(proxy.Listen))
	broker := open(t, backend, "g")
	messages := subscribe(t, broker, topic)
	publish(t, connect(t, quick(serverAddr)), topic, "1", "2")
	held := []*message.Message{receive(t, messages), receive(t, messages)}
	stopped := make(chan error, 1)
	go func() { stopped <- broker.Subscriber.Close() }()
	cut()
	for _, msg := range held {
		msg.Ack()
	}
	began := time.Now()
	err := <-stopped
	require.Less(t, time.Since(began), 4*time.Second)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "2 acks")
}
