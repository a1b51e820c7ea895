package redisstream

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

func flyingItem(id string) *item {
	it := &item{id: id, msg: message.NewMessage("", nil)}
	it.ctx = &messageContext{values: context.Background()}
	return it
}

func idsOf(items []*item) []string {
	ids := []string{}
	for _, it := range items {
		ids = append(ids, it.id)
	}
	return ids
}

// redelivered returns the ids of the nacked items that are delivered again.
func redelivered(w *window, now time.Time) (ids []string) {
	w.redeliver(now, func(it *item) {
		it.msg, it.ctx = message.NewMessage("", nil), &messageContext{values: context.Background()}
		ids = append(ids, it.id)
	})
	return ids
}

func TestSweepFindsOutcomesBehindAStuckHead(t *testing.T) {
	w := newWindow(10, Nack{Delay: time.Second, MaxDelay: time.Minute})
	items := []*item{flyingItem("1"), flyingItem("2"), flyingItem("3"), flyingItem("4")}
	require.Equal(t, 4, w.reserve(4))
	w.deliver(items...)
	messages := make([]*message.Message, 0, 4)
	contexts := make([]context.Context, 0, 4)
	for _, it := range items {
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

	require.Equal(t, 6, w.reserve(10), "acked items keep their slots until Redis has confirmed")
	w.settle(6)
	w.confirm(2, 0)
	require.Equal(t, 8, w.reserve(10), "a nacked item keeps its slot")
	require.Empty(t, redelivered(w, now.Add(time.Second-1)))
	require.Equal(t, []string{"3"}, redelivered(w, now.Add(1500*time.Millisecond)))
}

func TestWithdrawTakesBackWhatNobodyReceived(t *testing.T) {
	w := newWindow(10, Nack{Delay: time.Second})
	items := []*item{flyingItem("1"), flyingItem("2"), flyingItem("3")}
	w.deliver(items...)
	received := <-w.out
	require.Equal(t, []string{"2", "3"}, idsOf(w.withdraw()))
	require.Same(t, received, items[0].msg)
	require.Equal(t, 1, w.inFlight())
	w.deliver(flyingItem("4"))
	require.Empty(t, w.out, "nothing is delivered after the stop")
}

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

func TestMessageContext(t *testing.T) {
	type key struct{}
	ctx := &messageContext{values: context.WithValue(context.Background(), key{}, "v")}
	require.Equal(t, "v", ctx.Value(key{}))
	derived, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	stopped := context.AfterFunc(ctx, func() { t.Error("stopped, but called") })
	require.True(t, stopped())
	require.False(t, stopped())
	called := make(chan struct{})
	context.AfterFunc(ctx, func() { close(called) })
	require.NoError(t, derived.Err())
	ctx.cancel()
	ctx.cancel()
	<-called
	<-derived.Done()
	<-ctx.Done()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { close(late) })
	<-late
}

func TestKeysShareTheSlotOfTheStream(t *testing.T) {
	for stream, tag := range map[string]string{
		"s": "s", "{a}b": "a", "x{a}{b}": "a", "{}s": "{}s",
	} {
		require.Equal(t, tag, hashTag(stream))
	}
	require.NotEqual(t, leaseKey("s", "a:b", "c"), leaseKey("s", "a", "b:c"))
	require.False(t, taggable("a}b"))
	require.False(t, taggable("{}s"))
	require.True(t, taggable("x{a}b"))
	require.True(t, taggable("s{"))
}

func TestNothingIsDeliveredBesideASuspect(t *testing.T) {
	w := newWindow(10, Nack{Delay: time.Second, MaxDelay: time.Minute})
	suspect, nacked := flyingItem("1"), flyingItem("2")
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

func TestAckOfAnEntryThatCameOnceMoreIsRepeated(t *testing.T) {
	w := newWindow(10, Nack{Delay: time.Second})
	it := flyingItem("1")
	w.reserve(1)
	w.deliver(it)
	it.msg.Ack()
	w.sweep(time.Now())
	acked, _ := w.outcomes()
	require.Len(t, acked, 1)
	require.True(t, w.again("1"), "read again while the XACK is under way")
	w.confirm(1, 0)
	acked, _ = w.outcomes()
	require.Len(t, acked, 1, "the XACK may have come before the read")
	w.confirm(1, 0)
	acked, _ = w.outcomes()
	require.Empty(t, acked)
	require.False(t, w.again("1"))
	require.Equal(t, 10, w.reserve(100))
}

func TestWindowIsBoundedInBytes(t *testing.T) {
	w := newWindow(10, Nack{Delay: time.Second})
	large, small := flyingItem("1"), flyingItem("2")
	large.payload = make([]byte, windowBytes)
	require.Equal(t, 5, w.reserve(5))
	w.settle(5, large, small)
	w.deliver(large, small)
	require.Zero(t, w.reserve(1))
	large.msg.Ack()
	w.sweep(time.Now())
	require.Zero(t, w.reserve(1), "until Redis has confirmed")
	w.confirm(1, 0)
	require.Equal(t, 9, w.reserve(100))
}

func TestLowestOfAllThatIsHeld(t *testing.T) {
	w := newWindow(10, Nack{Delay: time.Second})
	lowest := func() string {
		position, ok := w.lowest()
		if !ok {
			return ""
		}
		return position.String()
	}
	require.Empty(t, lowest())
	w.arrive("7-1")
	require.Equal(t, "7-1", lowest(), "read, but not in the window yet")
	it := flyingItem("7-1")
	w.reserve(1)
	w.settle(1, it)
	require.Equal(t, "7-1", lowest())
	w.deliver(it)
	w.arrive("")
	require.Equal(t, "7-1", lowest(), "in flight")
	suspect := flyingItem("6-10")
	w.park(suspect, flyingItem("6-9"))
	require.Equal(t, "6-9", lowest(), "a suspect; in the order of numbers, not of text")
	w.suspects = nil
	it.msg.Nack()
	w.sweep(time.Unix(0, 0))
	require.Equal(t, "7-1", lowest(), "nacked")
	require.Equal(t, []string{"7-1"}, redelivered(w, time.Unix(10, 0)))
	require.Equal(t, "7-1", lowest(), "delivered again")
	it.msg.Ack()
	w.sweep(time.Unix(10, 0))
	require.Equal(t, "7-1", lowest(), "acked, not confirmed")
	w.confirm(1, 0)
	require.Empty(t, lowest())
}
