package inflight

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

// notebook keeps notes of suspects.
type notebook struct {
	mu   sync.Mutex
	runs map[string]int
	err  error
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
	return found, n.err
}

func (n *notebook) Note(_ context.Context, id string, runs int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.runs[id] = runs
	}
	return n.err
}

func (n *notebook) Forget(_ context.Context, ids ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		if n.err == nil {
			delete(n.runs, id)
		}
	}
	return n.err
}

func (n *notebook) all() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.runs)
}

func (n *notebook) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

// noted returns notes, and the change of options that uses them. What is above 3 deliveries is a suspect.
func noted(runs map[string]int) (*notebook, func(*Options)) {
	n := &notebook{runs: runs}
	return n, func(o *Options) { o.Notes = func(string) pubsub.Notes { return n } }
}

func TestSuspectRunsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes, use := noted(map[string]int{})
		r := start(t, use)
		r.put(item("1"), delivered("2", 4), delivered("3", 5), delivered("4", 3))
		before, fourth := r.receive(), r.receive()
		require.Equal(t, "uuid 4", fourth.UUID, "one that was delivered as often as is allowed is no suspect")
		fourth.Ack()
		r.none(time.Minute)
		require.Empty(t, notes.all())
		before.Nack()
		second := r.receive()
		require.Equal(t, "uuid 2", second.UUID)
		require.Equal(t, "4", second.Metadata[delivery.KeyDeliveries])
		require.Equal(t, map[string]int{"2": 1}, notes.all(), "noted before it runs")
		r.put(items("5")...)
		r.none(time.Minute)
		second.Nack()
		third := r.receive()
		require.Equal(t, "uuid 3", third.UUID)
		require.Equal(t, map[string]int{"3": 1}, notes.all(), "a nack is an outcome")
		r.none(time.Minute)
		third.Ack()
		for range 3 {
			msg := r.receive()
			require.NotEqual(t, "uuid 3", msg.UUID)
			if msg.UUID == "uuid 2" {
				require.Equal(t, map[string]int{"2": 1}, notes.all())
				r.none(time.Minute)
			}
			msg.Ack()
		}
		r.none(time.Minute)
		require.Empty(t, notes.all())
		require.Equal(t, 3, r.seen()[pubsub.EventSuspect])
	})
}

// One run alone without an outcome proves nothing: the message may have been held back when its process died.
func TestSuspectIsGivenUpAfterTwoRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes, use := noted(map[string]int{"1": 1})
		r := start(t, use)
		r.put(delivered("1", 9))
		require.Empty(t, r.receive().Metadata[delivery.KeyExhausted])
		require.Equal(t, map[string]int{"1": 2}, notes.all())
		require.NoError(t, r.subscriber.Close())
		require.Equal(t, map[string]int{"1": 2}, notes.all(), "no outcome leaves the note")
		require.Equal(t, []string{"close "}, r.has())

		r = start(t, use)
		r.put(delivered("1", 10))
		msg := r.receive()
		require.Equal(t, "10", msg.Metadata[delivery.KeyExhausted])
		require.Equal(t, "payload 1", string(msg.Payload))
		msg.Nack() // the DLQ could not take it
		msg = r.receive()
		require.Equal(t, "10", msg.Metadata[delivery.KeyExhausted], "still")
		require.Equal(t, map[string]int{"1": 2}, notes.all())
		msg.Ack()
		require.NoError(t, r.subscriber.Close())
		require.Empty(t, notes.all())
		require.Equal(t, []string{"ack 1", "close "}, r.has())
		require.Equal(t, 2, r.seen()[pubsub.EventExhausted], "each delivery")
	})
}

func TestStopDuringTheRunAlone(t *testing.T) {
	for _, test := range []struct {
		name   string
		finish func(*message.Message)
		left   map[string]int
		told   []string
	}{
		{"no outcome leaves the note", func(*message.Message) {}, map[string]int{"1": 1}, []string{"close "}},
		{"a nack removes the note", func(msg *message.Message) { msg.Nack() }, map[string]int{}, []string{"return 1", "close "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				notes, use := noted(map[string]int{})
				r := start(t, use)
				r.put(delivered("1", 4))
				test.finish(r.receive())
				require.NoError(t, r.subscriber.Close())
				require.Equal(t, test.left, notes.all())
				require.Equal(t, test.told, r.has())
			})
		})
	}
	t.Run("one that nobody has received has not run", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			notes, use := noted(map[string]int{})
			r := start(t, use)
			r.put(delivered("1", 4), delivered("2", 4))
			synctest.Wait()
			require.Equal(t, map[string]int{"1": 1}, notes.all())
			require.NoError(t, r.subscriber.Close())
			require.Empty(t, notes.all())
			require.Equal(t, []string{"return 1", "return 2", "close "}, r.has())
		})
	})
}

func TestSuspectIsNotNotedWhileReadingIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes, use := noted(map[string]int{})
		g := &gate{tokens: make(chan struct{}, 10)}
		r := start(t, func(o *Options) { use(o); o.Gate = g })
		g.tokens <- struct{}{} // to read both
		r.put(delivered("1", 4), delivered("2", 4))
		r.none(time.Minute)
		g.tokens <- struct{}{} // the turn
		g.tokens <- struct{}{} // the first suspect
		r.receive().Ack()
		r.none(time.Minute)
		require.Empty(t, notes.all())
		close(g.tokens)
		require.Equal(t, "uuid 2", r.receive().UUID)
	})
}

// Without the notes a suspect does not run, and with them it does; nothing else comes meanwhile.
func TestNotesMayBeAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes, use := noted(map[string]int{})
		notes.fail(errDown)
		r := start(t, use)
		r.put(delivered("1", 4))
		r.none(time.Minute)
		require.Equal(t, 1, r.log.count("does not serve"))
		notes.fail(nil)
		msg := r.receive()
		notes.fail(errDown)
		msg.Ack()
		r.none(time.Minute)
		require.Equal(t, map[string]int{"1": 1}, notes.all())
		notes.fail(nil)
		r.none(time.Minute)
		require.Empty(t, notes.all(), "forgotten when it can be")
		require.Equal(t, map[string]delivery.Position{}, r.subscriber.Lowest("t"))
	})
}

func TestWithoutNotesSuspectsAreNeverGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.put(delivered("1", 1000), delivered("2", 4))
		msg := r.receive()
		require.Empty(t, msg.Metadata[delivery.KeyExhausted])
		r.none(time.Minute)
		msg.Ack()
		r.receive().Ack()
	})
}

func TestMoreSuspectsThanTheWindowHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(o *Options) { o.InFlight = 4 })
		for i := range 25 {
			r.put(delivered(fmt.Sprint(i+1), 5))
		}
		for range 25 {
			msg := r.receive()
			r.none(time.Minute)
			msg.Ack()
		}
	})
}

func TestNothingIsDeliveredBesideASuspect(t *testing.T) {
	w := newWindow[string](10, Nack{Delay: time.Second, MaxDelay: time.Minute}, 0)
	suspect, nacked := flying("1"), flying("2")
	suspect.alone = true
	w.deliver(nacked)
	nacked.msg.Nack()
	now := time.Unix(1000, 0)
	w.sweep(now)
	now = now.Add(time.Minute)

	w.park(suspect)
	require.True(t, w.beginSolo())
	require.Same(t, suspect, w.firstSuspect())
	require.Empty(t, redelivered(w, now))
	require.True(t, w.deliverAlone(suspect))
	require.False(t, w.deliverAlone(suspect))
	require.Equal(t, 1, w.inFlight())
	require.Empty(t, redelivered(w, now))
	suspect.msg.Ack()
	w.sweep(now)
	w.endSolo()
	require.Equal(t, []string{"2"}, redelivered(w, now))
	require.False(t, w.beginSolo())
}
