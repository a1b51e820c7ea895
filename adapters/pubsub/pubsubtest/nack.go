package pubsubtest

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
)

// nackDelays: a nacked message comes again, not before the delay, as no new delivery; others flow meanwhile.
func nackDelays(t testing.TB, s suite) {
	if !s.caps.NackDelay {
		notApplicable(t, "nacked messages come again at once")
	}
	const nacks, others = 4, 100
	topic, group := s.names(t)
	p := s.open(t, group)
	messages := p.subscribe(topic)
	p.publish(topic, 0, 1)
	r := &refuser{t: t, s: s, first: time.Now()}
	r.refuse(receive(t, s, messages))

	p.publish(topic, 1, others)
	seen := tally{}
	for len(seen) < others || r.again < nacks {
		require.Less(t, time.Since(r.first), s.patience, "%d of %d others came while one was nacked %d times", len(seen), others, r.again)
		msg := receive(t, s, messages)
		if text := string(msg.Payload); text != "0" {
			seen[text]++
			msg.Ack()
			continue
		}
		r.check(msg)
		r.refuse(msg)
	}
	last := receive(t, s, messages)
	require.Equal(t, "0", string(last.Payload))
	last.Ack()
	require.Equal(t, numbers(1, others), seen, "the others came once")
	none(t, 3*nackDelay, "all are acked", messages)
}

// refuser nacks one message again and again.
type refuser struct {
	t      testing.TB
	s      suite
	first  time.Time // when it came first
	nacked time.Time
	again  int // how often it has come since
}

func (r *refuser) refuse(msg *message.Message) {
	msg.Metadata["dirt"] = "of the handler"
	r.nacked = time.Now()
	msg.Nack()
}

func (r *refuser) check(msg *message.Message) {
	r.t.Helper()
	r.again++
	require.Empty(r.t, msg.Metadata["dirt"], "each delivery has a message of its own")
	require.NoError(r.t, msg.Context().Err(), "each delivery has a context of its own")
	// What has been held for as long as the broker allows is handed back, and comes again in the broker's time.
	if r.s.Hold > 0 && time.Since(r.first) > r.s.Hold-100*time.Millisecond {
		return
	}
	require.GreaterOrEqual(r.t, time.Since(r.nacked), nackDelay, "wait after nack %d", r.again)
	require.Equal(r.t, 1, delivery.Of(msg).Deliveries, "a nack is no delivery")
}
