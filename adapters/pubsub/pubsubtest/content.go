package pubsubtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// malformedSurvive: what cannot be decoded is delivered as it is, and harms no other message.
func malformedSurvive(t testing.TB, s suite) {
	if s.Malformed == nil {
		notApplicable(t, "every message can be decoded")
	}
	topic, group := s.names(t)
	p := s.open(t, group)
	messages := p.subscribe(topic)
	p.publish(topic, 0, 1)
	s.Malformed(t, topic)
	p.publish(topic, 1, 1)
	var malformed *message.Message
	good := tally{}
	for _, msg := range receiveN(t, s, messages, 3) {
		if msg.Metadata[delivery.KeyMalformed] != "" {
			malformed = msg
		} else {
			good[string(msg.Payload)]++
		}
		msg.Ack()
	}
	require.NotNil(t, malformed, "no message says in %s why it could not be decoded", delivery.KeyMalformed)
	require.NotEmpty(t, malformed.Payload, "the raw bytes are the payload")
	require.Equal(t, numbers(0, 2), good)
	require.Equal(t, 1, p.events.of(pubsub.EventMalformed))
	p.stopped()
	none(t, 300*time.Millisecond, "all are acked", s.after(t, p).subscribe(topic))
}

// contents are payloads and metadata that every backend carries as they are.
func contents() []*message.Message {
	bytes := make([]byte, 256)
	for i := range bytes {
		bytes[i] = byte(i)
	}
	return []*message.Message{
		{UUID: watermill.NewUUID(), Payload: bytes, Metadata: message.Metadata{"Mixed_Case-key": "one", "mixed_case-key": "two"}},
		{UUID: watermill.NewUUID(), Payload: []byte{}, Metadata: message.Metadata{"empty": "", "padded": " a b ", "quoted": `"\{}`}},
		{UUID: watermill.NewUUID(), Payload: []byte("\xff\xfe"), Metadata: message.Metadata{"ключ": "значение", "鍵": "値 🙂", "ü": "é"}},
		{UUID: watermill.NewUUID(), Payload: []byte(`{"userId":"u1"}`), Metadata: message.Metadata{"long": strings.Repeat("x", 4096)}},
		{UUID: "not a UUID: 1", Payload: []byte("\x00"), Metadata: message.Metadata{}},
		{UUID: watermill.NewUUID(), Payload: []byte("again"), Metadata: message.Metadata{ // as of a dead letter that is published again
			delivery.KeyDeliveries: "77", delivery.KeyMalformed: "yes", delivery.KeyExhausted: "9", "kept": "1",
		}},
	}
}

// exotic is metadata that a backend carries as it is, or refuses as invalid.
var exotic = []message.Metadata{
	{"with space": "v"}, {"with:colon": "v"}, {"lines": "a\r\nb"}, {"nul": "a\x00b"}, {"bytes": "\xff"}, {"": "v"}, {strings.Repeat("k", 300): "v"},
}

// roundTrip: UUID, payload and metadata arrive as they were sent, or are refused; nothing is changed.
func roundTrip(t testing.TB, s suite) {
	topic, group := s.names(t)
	p := s.open(t, group)
	messages := p.subscribe(topic)
	publisher := p.backend.Publisher()
	sent := make(map[string]*message.Message)
	for _, msg := range contents() {
		require.NoError(t, publisher.Publish(topic, msg), "%q with %v", msg.Payload, msg.Metadata)
		sent[msg.UUID] = msg
	}
	for i, metadata := range exotic {
		msg := message.NewMessage(watermill.NewUUID(), fmt.Append(nil, "exotic ", i))
		msg.Metadata = metadata
		if err := publisher.Publish(topic, msg); err != nil {
			require.Equal(t, fault.Invalid, fault.KindOf(err), "metadata %q: %v", metadata, err)
			continue
		}
		sent[msg.UUID] = msg
	}
	for range len(sent) {
		got := receive(t, s, messages)
		got.Ack()
		want := sent[got.UUID]
		require.NotNil(t, want, "UUID %q, payload %q: sent once, or not at all", got.UUID, got.Payload)
		delete(sent, got.UUID)
		require.Equal(t, string(want.Payload), string(got.Payload))
		require.Equal(t, producers(want.Metadata), producers(got.Metadata), "of payload %q", want.Payload)
		info := delivery.Of(got)
		require.Equal(t, 1, info.Deliveries)
		require.True(t, strings.HasPrefix(info.Source, "ns:"+topic), "source %q has the namespace and the topic", info.Source)
		require.Equal(t, group, got.Metadata[delivery.KeyGroup])
		require.Empty(t, got.Metadata[delivery.KeyMalformed]+got.Metadata[delivery.KeyExhausted], "a producer's own values do not count")
	}
}

// producers returns what of the metadata is not the subscriber's.
func producers(metadata message.Metadata) map[string]string {
	of := maps.Clone(map[string]string(metadata))
	maps.DeleteFunc(of, func(key, _ string) bool { return strings.HasPrefix(key, "leat_") })
	return of
}

// flatFields: entries of flat fields arrive as a JSON object of strings.
func flatFields(t testing.TB, s suite) {
	topic, group := s.names(t)
	p := s.open(t, group)
	messages := p.subscribe(topic)
	fields := []pubsub.Field{{Name: "userId", Value: "u1"}, {Name: "title", Value: "ü \"quoted\"\n"}, {Name: "url", Value: ""}}
	require.NoError(t, p.backend.Publisher().PublishFields(context.Background(), topic, fields, fields[:1]))
	got := receiveN(t, s, messages, 2)
	ackAll(got...)
	var objects []map[string]string
	for _, msg := range got {
		var object map[string]string
		require.NoError(t, json.Unmarshal(msg.Payload, &object), "payload %q", msg.Payload)
		objects = append(objects, object)
	}
	require.ElementsMatch(t, []map[string]string{{"userId": "u1"}, {"userId": "u1", "title": "ü \"quoted\"\n", "url": ""}}, objects)
}

// inOrder: first deliveries come in the order of publishing, as far as the backend promises.
func inOrder(t testing.TB, s suite) {
	if s.caps.Order == pubsub.OrderNone {
		notApplicable(t, "the backend promises no order")
	}
	const n = 500
	topic, group := s.names(t)
	p := s.open(t, group)
	messages := p.subscribe(topic)
	for from := 0; from < n; from += 50 {
		p.publish(topic, from, 50)
	}
	last := map[string]int{}
	seen := tally{}
	for range n {
		msg := receive(t, s, messages)
		msg.Ack()
		seen[string(msg.Payload)]++
		scope := "the topic"
		if s.caps.Order == pubsub.OrderPartition {
			scope = delivery.Of(msg).Source
		}
		n := number(t, msg)
		if before, ok := last[scope]; ok {
			require.Greater(t, n, before, "order within %s", scope)
		}
		last[scope] = n
	}
	require.Equal(t, numbers(0, n), seen)
}

// largestGoes: a message of the largest size goes through, and a larger one is refused before it does harm.
func largestGoes(t testing.TB, s suite) {
	const framing, enough = 4 << 10, 8 << 20
	topic, group := s.names(t)
	p := s.open(t, group)
	messages := p.subscribe(topic)
	size := enough
	if limit := s.caps.MaxMessage; limit > 0 && limit-framing < enough {
		size = int(limit - framing)
	}
	publisher := p.backend.Publisher()
	large := message.NewMessage(watermill.NewUUID(), []byte(strings.Repeat("x", size)))
	require.NoError(t, publisher.Publish(topic, large), "%d bytes", size)
	got := receive(t, s, messages)
	require.Len(t, got.Payload, size)
	got.Ack()
	if limit := s.caps.MaxMessage; limit > 0 && limit <= 64<<20 { // else the test is as heavy as the message
		err := publisher.Publish(topic, message.NewMessage(watermill.NewUUID(), make([]byte, limit+1)))
		require.Error(t, err, "a message of %d bytes, where %d is the limit", limit+1, limit)
		require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
		require.Contains(t, err.Error(), fmt.Sprint(limit), "the error names the limit")
	}
	p.publish(topic, 0, 1)
	last := receive(t, s, messages)
	require.Equal(t, "0", string(last.Payload), "a message after the refused one")
	last.Ack()
}
