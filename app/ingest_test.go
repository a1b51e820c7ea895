package app

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/httpapi"
	"leat/adapters/pubsub"
	"leat/adapters/pubsub/gochannel"
	"leat/adapters/pubsub/inflight"
	"leat/config"
	"leat/handlers/activity"
	"leat/handlers/fault"
)

const undatedLine = `{"userId":"u1","app":"Code","duration":1}`

// channel is a broker within the process, of at most so many messages, and a reader of the topic of activity that begins when
// it is first asked.
func channel(t *testing.T, buffer int) (*gochannel.Backend, func() []*message.Message) {
	t.Helper()
	backend := gochannel.New(gochannel.Config{
		InFlight: 1000, Buffer: buffer, BufferBytes: 64 << 20, PublishTimeout: 50 * time.Millisecond,
		Nack: inflight.Nack{Delay: time.Second},
	}, nil)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	broker, err := backend.Broker(pubsub.Options{Group: "g"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Subscriber.Close()) })
	var messages <-chan *message.Message
	return backend, func() (all []*message.Message) {
		if messages == nil {
			messages, err = broker.Subscriber.Subscribe(context.WithoutCancel(t.Context()), activityTopic)
			require.NoError(t, err)
		}
		require.Eventually(t, func() bool {
			for {
				select {
				case msg := <-messages:
					all = append(all, msg)
					msg.Ack()
				default:
					lag, err := broker.Lag.Lag(t.Context(), activityTopic)
					return err == nil && lag == pubsub.Lag{}
				}
			}
		}, 10*time.Second, time.Millisecond)
		return all
	}
}

// doorTo is what serves HTTP in front of a broker. Events have at most 1 KiB.
func doorTo(t *testing.T, publisher message.Publisher) *ingest { return doorOf(t, publisher, 1024) }

func doorOf(t *testing.T, publisher message.Publisher, maxPayload int64) *ingest {
	t.Helper()
	cfg := config.Default()
	cfg.Pipelines.Activity.MaxPayload = maxPayload
	door, err := newActivityIngest(cfg.Pipelines.Activity, publisher)
	require.NoError(t, err)
	return door
}

func batchOf(events ...string) (batch httpapi.Batch) {
	for _, event := range events {
		batch.Events = append(batch.Events, []byte(event))
	}
	return batch
}

func uuidsOf(messages []*message.Message) (uuids []string) {
	for _, msg := range messages {
		uuids = append(uuids, msg.UUID)
	}
	return uuids
}

// What comes through HTTP has the UUIDs that leat publish gives the same lines.
func TestIngestPublishesAsPublishDoes(t *testing.T) {
	backend, published := channel(t, 100)
	door := doorTo(t, backend.Publisher())
	first, err := door.take(t.Context(), batchOf(goodLine, undatedLine, undatedLine))
	require.NoError(t, err)
	again, err := door.take(t.Context(), batchOf(" "+goodLine+"\r\n", undatedLine))
	require.NoError(t, err)
	require.Equal(t, first[0], again[0], "an event that says when it was is the same one")
	require.Equal(t, outgoing{payload: []byte(goodLine), event: eventOf(t, door, goodLine)}.uuid(), first[0])
	require.Len(t, map[string]bool{first[1]: true, first[2]: true, again[1]: true}, 3, "others are new ones")

	messages := published()
	require.Equal(t, append(first, again...), uuidsOf(messages), "the ids are the UUIDs, in order")
	for n, want := range []string{goodLine, undatedLine, undatedLine, goodLine, undatedLine} {
		require.Equal(t, want, string(messages[n].Payload))
	}
}

// The UUIDs that files have been published with do not change: publishing one again must not count it twice.
func TestTheUUIDOfALineIsForEver(t *testing.T) {
	door := doorTo(t, nil)
	line := outgoing{payload: []byte(goodLine), event: eventOf(t, door, goodLine)}
	require.Equal(t, "aa91ecf3-c17d-84c3-b8ac-2df83375f151", line.uuid())
}

// With one key, a request that is sent again carries the same events.
func TestAKeyNamesTheEventsOfARequest(t *testing.T) {
	backend, published := channel(t, 100)
	door := doorTo(t, backend.Publisher())
	take := func(key string) []string {
		batch := batchOf(goodLine, undatedLine, undatedLine)
		batch.Key = key
		ids, err := door.take(t.Context(), batch)
		require.NoError(t, err)
		return ids
	}
	one, again, other := take("one"), take("one"), take("other")
	require.Equal(t, one, again)
	require.NotEqual(t, one[1], one[2], "two equal events of one request are two")
	require.Equal(t, one[0], other[0], "dated")
	require.NotContains(t, other[1:], one[1])
	require.Len(t, published(), 9)
}

func TestIngestPublishesNothingOfAWrongBatch(t *testing.T) {
	backend, published := channel(t, 100)
	door := doorTo(t, backend.Publisher())
	long := `{"userId":"u1","app":"Code","duration":1,"title":"` + strings.Repeat("x", 1024) + `"}`
	events := []string{goodLine, `{"app":"Code","duration":1}`, "oops", "[]", long, undatedLine, " "}
	_, err := door.take(t.Context(), batchOf(events...))
	var wrong httpapi.Mistakes
	require.ErrorAs(t, err, &wrong)
	got := map[int]string{}
	for _, each := range wrong {
		got[each.Index] = each.Err.Error()
	}
	require.Equal(t, map[int]string{
		1: "userId is missing", 2: "the payload is not JSON", 3: "the payload is not a JSON object",
		4: "the event has 1076 bytes; at most 1024 are allowed", 6: "the event is empty",
	}, got)
	require.Empty(t, published())

	batch := batchOf(events[:6]...)
	batch.Unchecked = true
	ids, err := door.take(t.Context(), batch)
	require.NoError(t, err)
	messages := published()
	require.Equal(t, ids, uuidsOf(messages))
	for n, want := range events[:6] {
		require.Equal(t, want, string(messages[n].Payload), "as it is")
	}
	batch = batchOf(strings.Repeat("x", longestUnchecked+1))
	batch.Unchecked = true
	_, err = door.take(t.Context(), batch)
	require.ErrorAs(t, err, &wrong, "not even unchecked")
}

// A broker that is full is busy, one that is away is unavailable, and the end of the request ends the wait.
func TestIngestTellsBusyFromAway(t *testing.T) {
	backend, published := channel(t, 4)
	door := doorTo(t, backend.Publisher())
	published() // subscribes: from now on publishers wait
	hold, err := backend.Broker(pubsub.Options{Group: "slow"})
	require.NoError(t, err)
	defer func() { require.NoError(t, hold.Subscriber.Close()) }()
	_, err = hold.Subscriber.Subscribe(context.WithoutCancel(t.Context()), activityTopic)
	require.NoError(t, err)
	for range 4 {
		_, err = door.take(t.Context(), batchOf(undatedLine))
		require.NoError(t, err)
	}
	_, err = door.take(t.Context(), batchOf(undatedLine))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Equal(t, httpapi.CodeBusy, fault.Of(err).Code)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = door.take(ended, batchOf(undatedLine))
	require.Equal(t, fault.Canceled, fault.KindOf(err))

	door = doorTo(t, away{})
	_, err = door.take(t.Context(), batchOf(undatedLine))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Empty(t, fault.Of(err).Code)
}

// away is a publisher whose broker is away.
type away struct{ message.Publisher }

func (away) Publish(string, ...*message.Message) error {
	return fault.Unavailablef("connection refused")
}

func eventOf(t *testing.T, door *ingest, line string) activity.Event {
	t.Helper()
	event, err := door.check.Check(json.RawMessage(line))
	require.NoError(t, err)
	return event
}
