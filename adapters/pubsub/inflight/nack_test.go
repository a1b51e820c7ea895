package inflight

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
)

func TestNackDelay(t *testing.T) {
	nack := Nack{Delay: time.Second, MaxDelay: 10 * time.Second}
	for _, test := range []struct {
		nacks  int
		chance float64
		want   time.Duration
	}{
		{1, 0, time.Second},
		{1, 1, 1500 * time.Millisecond},
		{2, 0, 2 * time.Second},
		{4, 0, 8 * time.Second},
		{5, 0, 10 * time.Second},
		{5, 1, 15 * time.Second},
		{1000, 0, 10 * time.Second},
	} {
		require.Equal(t, test.want, nackDelay(nack, test.nacks, test.chance), "%d nacks", test.nacks)
	}
}

func TestNackWaitsWithoutHoldingOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(o *Options) { o.InFlight = 3 })
		r.put(items("1", "2", "3", "4", "5", "6")...)
		first := r.receive()
		first.Metadata["dirt"] = "of the handler"
		first.Nack()
		nacked := time.Now()
		for _, want := range []string{"2", "3", "4", "5", "6"} {
			msg := r.receive()
			require.Equal(t, "uuid "+want, msg.UUID)
			msg.Ack()
		}
		require.Less(t, time.Since(nacked), time.Second, "others waited for the nacked one")
		again := r.receive()
		require.GreaterOrEqual(t, time.Since(nacked), time.Second)
		require.LessOrEqual(t, time.Since(nacked), 1500*time.Millisecond+longTick)
		require.Equal(t, "uuid 1", again.UUID)
		require.Empty(t, again.Metadata["dirt"])
		require.Equal(t, "1", again.Metadata["leat_deliveries"], "a nack is no delivery")
		require.NoError(t, again.Context().Err())
		require.Error(t, first.Context().Err())

		again.Nack()
		nacked = time.Now()
		r.receive().Ack()
		require.GreaterOrEqual(t, time.Since(nacked), 2*time.Second, "the wait doubles")
		require.NoError(t, r.subscriber.Close())
		require.NotContains(t, r.has(), "return 1")
		require.Equal(t, 2, r.seen()[pubsub.EventNacked])
	})
}

// What the broker does not let anyone hold for longer is handed back after a nack, not before.
func TestNackAfterTheLongestHoldHandsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(o *Options) { o.MaxHold, o.InFlight = 10*time.Second, 2 })
		r.put(items("1", "2")...)
		nacked, slow := r.receive(), r.receive()
		nacked.Nack()
		began := time.Now()
		for time.Since(began) < 10*time.Second { // it comes again after 1 s, 2 s, 4 s, and not after 8 s
			select {
			case msg := <-r.messages:
				require.Equal(t, "uuid 1", msg.UUID)
				require.Empty(t, r.has())
				msg.Nack()
			case <-time.After(time.Until(began.Add(10*time.Second + longTick))):
			}
		}
		synctest.Wait()
		require.Equal(t, []string{"return 1"}, r.has(), "the slow one has a handler")
		require.Equal(t, 1, r.seen()[pubsub.EventReturned])
		r.none(time.Hour)
		r.put(items("3")...)
		require.Equal(t, "uuid 3", r.receive().UUID, "its slot is free")
		slow.Nack()
		r.none(time.Minute)
		require.Contains(t, r.has(), "return 2", "at once, since it was held for an hour")
		require.NotContains(t, r.has(), "ack 2")
	})
}

// While the broker takes nothing back, what is overdue waits, and is told once.
func TestHandingBackIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(o *Options) { o.MaxHold = time.Second })
		r.fail("return", errDown)
		r.put(items("1")...)
		r.receive().Nack()
		r.none(time.Minute)
		require.Equal(t, 1, r.subscriber.InHand("t"))
		require.Equal(t, 1, r.log.count("does not serve"))
		r.fail("return", nil)
		r.none(time.Minute)
		require.Equal(t, []string{"return 1"}, r.has())
		require.Zero(t, r.subscriber.InHand("t"))
		require.Equal(t, 1, r.log.count("serves the topic again"))
	})
}

func TestHandingBackFreesNothingThatWasLost(t *testing.T) {
	w := newWindow[string](10, Nack{Delay: time.Second, MaxDelay: time.Second}, time.Minute)
	held := []*Item[string]{flying("1"), flying("2"), flying("3")}
	require.Equal(t, 3, w.reserve(3))
	w.settle(3, held...)
	w.deliver(held...)
	for _, it := range held {
		it.msg.Nack()
	}
	now := time.Now().Add(time.Hour)
	w.sweep(now)
	require.Empty(t, redelivered(w, now))
	overdue := w.handBack()
	require.Equal(t, []string{"1", "2", "3"}, idsOf(overdue))
	held[1].lost = true // while the broker is told
	w.lose(func(*Item[string]) bool { return false })
	require.Equal(t, []string{"1", "2", "3"}, idsOf(overdue))
	w.returned(overdue)
	require.Empty(t, w.handBack())
	require.Equal(t, 10, w.reserve(100), "each slot is freed once")
}
