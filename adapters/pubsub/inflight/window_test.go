package inflight

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
)

func flying(id string) *Item[string] {
	it := item(id)
	it.msg = message.NewMessage("", nil)
	it.ctx = &messageContext{values: context.Background()}
	return it
}

func idsOf(items []*Item[string]) []string {
	ids := []string{}
	for _, it := range items {
		ids = append(ids, it.ID)
	}
	return ids
}

// redelivered returns the ids of the nacked items that are delivered again.
func redelivered(w *window[string], now time.Time) (ids []string) {
	w.redeliver(now, func(it *Item[string]) {
		it.msg, it.ctx = message.NewMessage("", nil), &messageContext{values: context.Background()}
		ids = append(ids, it.ID)
	})
	return ids
}

func TestSweepFindsOutcomesBehindAStuckHead(t *testing.T) {
	w := newWindow[string](10, Nack{Delay: time.Second, MaxDelay: time.Minute}, 0)
	held := []*Item[string]{flying("1"), flying("2"), flying("3"), flying("4")}
	require.Equal(t, 4, w.reserve(4))
	w.deliver(held...)
	messages := make([]*message.Message, 0, 4)
	contexts := make([]context.Context, 0, 4)
	for _, it := range held {
		messages, contexts = append(messages, it.msg), append(contexts, it.ctx)
	}
	messages[1].Ack()
	messages[2].Nack()
	messages[3].Ack()

	now := time.Unix(1000, 0)
	nacked, finished := w.sweep(now)
	require.Equal(t, 1, nacked)
	require.Equal(t, 3, finished)
	acked, _ := w.outcomes()
	require.Equal(t, []string{"2", "4"}, idsOf(acked))
	require.NoError(t, contexts[0].Err())
	for _, ctx := range contexts[1:] {
		require.ErrorIs(t, ctx.Err(), context.Canceled)
	}

	require.Equal(t, 6, w.reserve(10), "acked items keep their slots until the broker has confirmed")
	w.settle(6)
	w.confirm(2)
	require.Equal(t, 8, w.reserve(10), "a nacked item keeps its slot")
	require.Empty(t, redelivered(w, now.Add(time.Second-1)))
	require.Equal(t, []string{"3"}, redelivered(w, now.Add(1500*time.Millisecond)))
}

func TestWithdrawTakesBackWhatNobodyReceived(t *testing.T) {
	w := newWindow[string](10, Nack{Delay: time.Second}, 0)
	held := []*Item[string]{flying("1"), flying("2"), flying("3")}
	w.deliver(held...)
	received := <-w.out
	require.Equal(t, []string{"2", "3"}, idsOf(w.withdraw()))
	require.Same(t, received, held[0].msg)
	require.Equal(t, 1, w.inFlight())
	w.deliver(flying("4"))
	require.Empty(t, w.out, "nothing is delivered after the stop")
	require.Equal(t, []string{"4"}, idsOf(w.suspects), "but kept, to be handed back")
}

func TestAckOfAnItemThatCameOnceMoreIsRepeated(t *testing.T) {
	w := newWindow[string](10, Nack{Delay: time.Second}, 0)
	it := flying("1")
	w.reserve(1)
	w.deliver(it)
	it.msg.Ack()
	w.sweep(time.Now())
	acked, _ := w.outcomes()
	require.Len(t, acked, 1)
	require.False(t, w.again("another source", "1"))
	require.True(t, w.again("t", "1"), "read again while the ack is under way")
	w.confirm(1)
	acked, _ = w.outcomes()
	require.Len(t, acked, 1, "the ack may have come before the read")
	w.confirm(1)
	acked, _ = w.outcomes()
	require.Empty(t, acked)
	require.False(t, w.again("t", "1"))
	require.Equal(t, 10, w.reserve(100))
}

func TestWindowIsBoundedInBytes(t *testing.T) {
	w := newWindow[string](10, Nack{Delay: time.Second}, 0)
	large, small := flying("1"), flying("2")
	large.Size = windowBytes
	require.Equal(t, 5, w.reserve(5))
	w.settle(5, large, small)
	w.deliver(large, small)
	require.Zero(t, w.reserve(1))
	large.msg.Ack()
	w.sweep(time.Now())
	require.Zero(t, w.reserve(1), "until the broker has confirmed")
	w.confirm(1)
	require.Equal(t, 9, w.reserve(100))
}

// Floors go by the lowest position that is held, and by the time of the oldest item.
func TestLowestOfAllThatIsHeld(t *testing.T) {
	w := newWindow[string](10, Nack{Delay: time.Second}, 0)
	lowest := func() map[string]delivery.Position {
		low := make(map[string]delivery.Position)
		w.lowest(low)
		return low
	}
	at := func(major uint64) map[string]delivery.Position {
		return map[string]delivery.Position{"t": {Major: major}}
	}
	require.Empty(t, lowest())
	require.True(t, w.oldest().IsZero())
	it := flying("7")
	w.reserve(1)
	w.settle(1, it)
	w.deliver(it)
	require.Equal(t, at(7), lowest(), "in flight")
	require.Equal(t, it.received, w.oldest())
	other := item("3")
	other.Source = "t[1]"
	w.park(item("10"), item("6"), other)
	require.Equal(t, map[string]delivery.Position{"t": {Major: 6}, "t[1]": {Major: 3}}, lowest(), "suspects; in the order of numbers, by source")
	w.suspects = nil
	it.msg.Nack()
	w.sweep(time.Unix(0, 0))
	require.Equal(t, at(7), lowest(), "nacked")
	require.Equal(t, []string{"7"}, redelivered(w, time.Unix(10, 0)))
	require.Equal(t, at(7), lowest(), "delivered again")
	it.msg.Ack()
	w.sweep(time.Unix(10, 0))
	require.Equal(t, at(7), lowest(), "acked, not confirmed")
	require.Equal(t, it.received, w.oldest())
	w.confirm(1)
	require.Empty(t, lowest())
	require.True(t, w.oldest().IsZero())
}

func TestRoomWaitsOnlyAMomentForMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Subscription[string]{Options: &Options{InFlight: 100}, window: newWindow[string](100, Nack{}, 0)}
		require.Equal(t, 100, s.Room(t.Context(), 500, time.Second))
		began := time.Now()
		require.Zero(t, s.Room(t.Context(), 10, time.Second), "full")
		require.Equal(t, time.Second, time.Since(began))
		began = time.Now()
		s.window.settle(3)
		require.Equal(t, 3, s.Room(t.Context(), 50, time.Second))
		require.Equal(t, fillWait, time.Since(began))
		began = time.Now()
		time.AfterFunc(time.Millisecond, func() { s.window.settle(30) })
		require.Equal(t, 30, s.Room(t.Context(), 50, time.Second))
		require.Equal(t, time.Millisecond, time.Since(began))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.Zero(t, s.Room(ended, 1, time.Hour))
	})
}
