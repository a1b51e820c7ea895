package middleware

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// dlq is a publisher that keeps what it is given, or fails.
type dlq struct {
	topic   string
	letters []*message.Message
	err     error
}

func (d *dlq) Publish(topic string, letters ...*message.Message) error {
	if d.err == nil {
		d.topic, d.letters = topic, append(d.letters, letters...)
	}
	return d.err
}

// picky is a DLQ on a broker that does not take every message.
type picky struct {
	dlq
	refuses func(*message.Message) bool
}

func (d *picky) Publish(topic string, letters ...*message.Message) error {
	if d.refuses(letters[0]) {
		return fault.Invalidf("refused", "such a message is not taken")
	}
	return d.dlq.Publish(topic, letters...)
}

func (d *dlq) Close() error { return nil }

func poison(d *dlq, log *logs) Poison {
	_, metrics := testMetrics()
	return Poison{Publisher: d, Topic: "events.dlq", Handler: "activity", From: "events", MaxPayload: 100, Metrics: metrics, Logger: log.logger()}
}

// delivered is a message as a subscriber hands it out.
func delivered(payload string) *message.Message {
	msg := message.NewMessage("uuid-1", []byte(payload))
	msg.Metadata = message.Metadata{
		"traceparent": "00-1", delivery.KeySource: "events/0", delivery.KeyPosition: "17-1", delivery.KeyDeliveries: "3",
		delivery.KeyGroup: "group", delivery.KeyConsumer: "host-1",
	}
	return msg
}

// A dead letter carries everything that came, and everything that is known of the failure.
func TestPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d dlq
		var log logs
		first := time.Now().Add(-7 * time.Second)
		h := handlerOf(&fault.Error{
			Kind: fault.Internal, Code: "wrong_type", Stage: "aggregate", Notes: map[string]string{"applied": "false"}, Stack: []byte("goroutine 1"),
			Attempts: 4, FirstFailure: first, Err: errors.New("the key holds a list"),
		})
		msg := delivered(`{"userId":"u1"}`)
		_, err := poison(&d, &log).Middleware(h.handle)(msg)
		require.NoError(t, err, "the message is done with")
		require.Equal(t, "events.dlq", d.topic)
		require.Len(t, d.letters, 1)
		require.Equal(t, "uuid-1", d.letters[0].UUID)
		require.Equal(t, `{"userId":"u1"}`, string(d.letters[0].Payload))
		require.Equal(t, message.Metadata{
			"traceparent": "00-1", delivery.KeySource: "events/0", delivery.KeyPosition: "17-1", delivery.KeyDeliveries: "3",
			delivery.KeyGroup: "group", delivery.KeyConsumer: "host-1",

			DLQKind: "internal", DLQCode: "wrong_type", DLQError: "the key holds a list", DLQStage: "aggregate", DLQHandler: "activity",
			DLQTopic: "events", DLQGroup: "group", DLQConsumer: "host-1", DLQSource: "events/0", DLQPosition: "17-1", DLQDeliveries: "3",
			DLQAttempts: "4", DLQFirstFailure: first.UTC().Format(time.RFC3339Nano), DLQLastFailure: time.Now().UTC().Format(time.RFC3339Nano),
			DLQStack: "goroutine 1", DLQNotePrefix + "applied": "false",
		}, d.letters[0].Metadata)
		require.Len(t, msg.Metadata, 6, "the message itself is left as it was")
		require.Equal(t, []string{
			`level=WARN msg="message dead-lettered" kind=internal code=wrong_type stage=aggregate dlq=events.dlq uuid=uuid-1 position=17-1 error="the key holds a list"`,
		}, log.lines())
	})
}

// What can succeed later stays in the broker: it never goes to the DLQ.
func TestPoisonPassesOn(t *testing.T) {
	for _, err := range []error{errUnavailable, errCanceled, ErrDraining, nil} {
		var d dlq
		_, got := poison(&d, &logs{}).Middleware(handlerOf(err).handle)(delivered("x"))
		require.ErrorIs(t, got, err)
		require.Empty(t, d.letters)
	}
}

func TestPoisonTakes(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind string
	}{{errInvalid, "invalid"}, {errInternal, "internal"}, {errors.New("unclassified"), "internal"}} {
		var d dlq
		p := poison(&d, &logs{})
		_, err := p.Middleware(handlerOf(test.err).handle)(delivered("x"))
		require.NoError(t, err)
		require.Equal(t, test.kind, d.letters[0].Metadata[DLQKind])
		require.Equal(t, "1", d.letters[0].Metadata[DLQAttempts], "where nobody counted")
		require.Equal(t, d.letters[0].Metadata[DLQLastFailure], d.letters[0].Metadata[DLQFirstFailure])
		require.Equal(t, 1.0, testutil.ToFloat64(p.Metrics.deadLetters.WithLabelValues(test.kind, "")))
	}
}

// A message whose dead letter cannot be published is not lost: it goes back to the broker as unavailable.
func TestPoisonCannotPublish(t *testing.T) {
	d := dlq{err: errors.New("connection refused")}
	p := poison(&d, &logs{})
	_, err := p.Middleware(handlerOf(errInvalid).handle)(delivered("x"))
	require.ErrorIs(t, err, d.err)
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.Zero(t, testutil.CollectAndCount(p.Metrics.deadLetters))
}

func TestPoisonCutsPayload(t *testing.T) {
	for size, cut := range map[int]bool{100: false, 101: true, 5000: true} {
		var d dlq
		payload := strings.Repeat("x", size)
		msg := delivered(payload)
		_, err := poison(&d, &logs{}).Middleware(handlerOf(errInvalid).handle)(msg)
		require.NoError(t, err)
		letter := d.letters[0]
		if !cut {
			require.Len(t, letter.Payload, size)
			require.NotContains(t, letter.Metadata, DLQPayloadSize)
			continue
		}
		require.Equal(t, payload[:100], string(letter.Payload))
		sum := sha256.Sum256([]byte(payload))
		require.Equal(t, hex.EncodeToString(sum[:]), letter.Metadata[DLQPayloadHash], "of the whole payload")
		require.Equal(t, map[int]string{101: "101", 5000: "5000"}[size], letter.Metadata[DLQPayloadSize])
		require.Len(t, msg.Payload, size)
	}
	var d dlq
	p := poison(&d, &logs{})
	p.MaxPayload = 0
	_, err := p.Middleware(handlerOf(errInvalid).handle)(delivered(strings.Repeat("x", 5000)))
	require.NoError(t, err)
	require.Len(t, d.letters[0].Payload, 5000, "without a limit")
}

// A letter that the broker does not take would hold its message up for ever.
func TestPoisonFitsBroker(t *testing.T) {
	for _, size := range []int{1, 5_000, 100_000} {
		var d dlq
		p := poison(&d, &logs{})
		p.MaxPayload, p.MaxMessage = 0, 20_000
		msg := delivered(strings.Repeat("x", size))
		msg.Metadata["of the producer"] = strings.Repeat("m", 3_000)
		_, err := p.Middleware(handlerOf(errInvalid).handle)(msg)
		require.NoError(t, err)
		letter := d.letters[0]
		whole := len(letter.Payload)
		for key, value := range letter.Metadata {
			whole += len(key) + len(value) + overhead
		}
		require.LessOrEqual(t, whole, 20_000)
		require.Equal(t, size > 20_000, len(letter.Payload) < size)
		require.Equal(t, size > 20_000, letter.Metadata[DLQPayloadHash] != "")
	}
}

// A broker does not take again what came through it: a reserved key, or more metadata than fits beside what leat adds. The message
// must not come again for ever because of that.
func TestPoisonRefused(t *testing.T) {
	for name, test := range map[string]struct {
		refuses func(*message.Message) bool
		payload int
	}{
		"metadata": {func(m *message.Message) bool { return m.Metadata["reserved"] != "" }, 50_000},
		"size":     {func(m *message.Message) bool { return len(m.Payload) > 20_000 }, leastCopy},
	} {
		t.Run(name, func(t *testing.T) {
			d := picky{refuses: test.refuses}
			p := poison(&d.dlq, &logs{})
			p.Publisher, p.MaxPayload = &d, 0
			msg := delivered(strings.Repeat("x", 50_000))
			msg.Metadata["reserved"], msg.Metadata[DLQNotePrefix+"applied"] = "yes", "false"
			_, err := p.Middleware(handlerOf(errInvalid).handle)(msg)
			require.NoError(t, err)
			require.Len(t, d.letters, 1)
			letter := d.letters[0]
			require.Equal(t, msg.UUID, letter.UUID)
			require.Len(t, letter.Payload, test.payload)
			require.Equal(t, test.payload < 50_000, letter.Metadata[DLQPayloadHash] != "")
			require.Equal(t, "false", letter.Metadata[DLQNotePrefix+"applied"])
			require.Equal(t, "17-1", letter.Metadata[DLQPosition])
			require.Contains(t, letter.Metadata[DLQMetadata], `"reserved":"yes"`)
			require.Contains(t, letter.Metadata[DLQMetadata], `"traceparent":"00-1"`)
		})
	}
	d := picky{refuses: func(*message.Message) bool { return true }}
	p := poison(&d.dlq, &logs{})
	p.Publisher = &d
	_, err := p.Middleware(handlerOf(errInvalid).handle)(delivered("x"))
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "nothing is lost where nothing is taken")
}

// A stop does not wait for a DLQ that hangs.
func TestPoisonContext(t *testing.T) {
	var d dlq
	msg := delivered("x")
	ctx, cancel := context.WithCancel(t.Context())
	msg.SetContext(ctx)
	_, err := poison(&d, &logs{}).Middleware(handlerOf(errInvalid).handle)(msg)
	require.NoError(t, err)
	require.NoError(t, d.letters[0].Context().Err())
	cancel()
	require.ErrorIs(t, d.letters[0].Context().Err(), context.Canceled)
}

func TestPoisonCutsTexts(t *testing.T) {
	var d dlq
	_, err := poison(&d, &logs{}).Middleware(handlerOf(&fault.Error{
		Stack: []byte(strings.Repeat("s", 2*maxStack)), Err: errors.New(strings.Repeat("é", maxError)),
	}).handle)(delivered("x"))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("é", maxError/2)+"…", d.letters[0].Metadata[DLQError])
	require.Equal(t, strings.Repeat("s", maxStack)+"…", d.letters[0].Metadata[DLQStack])

	_, err = poison(&d, &logs{}).Middleware(handlerOf(fault.Invalidf("", "field \xff")).handle)(delivered("x"))
	require.NoError(t, err)
	require.Equal(t, "field \uFFFD", d.letters[1].Metadata[DLQError], "some brokers take valid UTF-8 alone")
}

// A message that even alone ended without an outcome, by a crash, is never handled again.
func TestPoisonExhausted(t *testing.T) {
	var d dlq
	h := handlerOf(nil)
	msg := delivered("x")
	msg.Metadata[delivery.KeyExhausted] = "11"
	_, err := poison(&d, &logs{}).Middleware(h.handle)(msg)
	require.NoError(t, err)
	require.Zero(t, h.called())
	require.Equal(t, "exhausted", d.letters[0].Metadata[DLQCode])
	require.Contains(t, d.letters[0].Metadata[DLQError], "delivered 11 times without an outcome")
}

// A message that was redriven and fails again tells of this failure, not of the one before. Notes stay: they are
// facts about its effects.
func TestPoisonAgain(t *testing.T) {
	var d dlq
	msg := delivered("x")
	msg.Metadata[DLQStack], msg.Metadata[DLQStage], msg.Metadata[DLQNotePrefix+"applied"] = "goroutine 1", "aggregate", "false"
	_, err := poison(&d, &logs{}).Middleware(handlerOf(errInvalid).handle)(msg)
	require.NoError(t, err)
	require.Equal(t, "missing_field", d.letters[0].Metadata[DLQCode])
	require.NotContains(t, d.letters[0].Metadata, DLQStack)
	require.NotContains(t, d.letters[0].Metadata, DLQStage)
	require.Equal(t, "false", d.letters[0].Metadata[DLQNotePrefix+"applied"])
}
