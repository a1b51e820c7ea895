package pubsubtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

// crashes is how many processes a message may kill before the test gives up.
const crashes = 16

// suspectRunsAlone: a message that kills its processes is found by its deliveries. It then runs with nothing else in flight; two such
// runs without an outcome, and it is given up.
func suspectRunsAlone(t testing.TB, s suite) {
	if !s.caps.DeliveryCount {
		notApplicable(t, "deliveries are not counted across crashes")
	}
	if s.Link == nil {
		notApplicable(t, noNetwork)
	}
	topic, group := s.names(t)
	notes := &notebook{runs: make(map[string]int)}
	noted := func(o *pubsub.Options) { o.Notes = func(string) pubsub.Notes { return notes } }
	outside := s.open(t, unique("unused"))
	alone, seen := 0, tally{}
	for life := 1; ; life++ {
		require.LessOrEqual(t, life, crashes, "processes died of a message; it ran alone %d times, and was not given up", alone)
		p, cut, _ := s.link(t, group, noted)
		messages := p.subscribe(topic)
		if life == 1 {
			outside.publish(topic, 0, 1)
		}
		killer := receiveKiller(t, s, messages, seen)
		if killer.Metadata[delivery.KeyExhausted] != "" {
			require.Equal(t, 2, alone, "runs alone before it was given up")
			until(t, s.patience, func() bool { return p.events.of(pubsub.EventExhausted) == 1 }, func() string { return "nobody is told that it was given up" })
			killer.Ack()
			receiveAll(t, s, alone-len(seen), messages)
			p.stopped()
			require.Empty(t, notes.all(), "notes of what has an outcome")
			return
		}
		if life > 1 {
			require.GreaterOrEqual(t, delivery.Of(killer).Deliveries, 2, "a delivery to a process that died counts")
		}
		if len(notes.all()) > 0 { // it is noted before it runs
			alone++
			until(t, s.patience, func() bool { return p.events.of(pubsub.EventSuspect) == 1 }, func() string { return "nobody is told that it runs alone" })
			outside.publish(topic, alone, 1)
			none(t, 300*time.Millisecond, "a suspect runs alone", messages)
		}
		p.die(cut)
	}
}

// receiveKiller returns message 0, and acks those that come before it.
func receiveKiller(t testing.TB, s suite, messages <-chan *message.Message, seen tally) *message.Message {
	t.Helper()
	for {
		msg := receive(t, s, messages)
		if string(msg.Payload) == "0" {
			return msg
		}
		seen[string(msg.Payload)]++
		msg.Ack()
	}
}

// notebook is a pubsub.Notes that outlives processes, as a store does.
type notebook struct {
	mu   sync.Mutex
	runs map[string]int
}

func (n *notebook) Runs(_ context.Context, ids []string) (map[string]int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found := make(map[string]int)
	for _, id := range ids {
		if runs, ok := n.runs[id]; ok {
			found[id] = runs
		}
	}
	return found, nil
}

func (n *notebook) Note(_ context.Context, id string, runs int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.runs[id] = runs
	return nil
}

func (n *notebook) Forget(_ context.Context, ids ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		delete(n.runs, id)
	}
	return nil
}

func (n *notebook) all() (ids []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id := range n.runs {
		ids = append(ids, id)
	}
	return ids
}
