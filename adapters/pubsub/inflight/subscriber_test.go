package inflight

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

func TestDeliversWithMetadataAndAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		first, malformed := delivered("7-1", 2), item("7-2")
		first.PublishedAt, malformed.Malformed = "1760421032500", "no JSON"
		r.put(first, malformed)
		msg := r.receive()
		require.Equal(t, "uuid 7-1", msg.UUID)
		require.Equal(t, "payload 7-1", string(msg.Payload))
		require.Equal(t, map[string]string{
			"of": "the producer", delivery.KeySource: "t", delivery.KeyPosition: "7-1", delivery.KeyDeliveries: "2",
			delivery.KeyPublishedAt: "1760421032500", delivery.KeyConsumer: "c1", delivery.KeyGroup: "g",
		}, map[string]string(msg.Metadata))
		msg.Ack()
		msg = r.receive()
		require.Equal(t, "no JSON", msg.Metadata[delivery.KeyMalformed])
		msg.Ack()
		<-msg.Context().Done()
		require.NoError(t, r.subscriber.Close())
		require.NoError(t, r.subscriber.Close(), "again")
		require.Equal(t, []string{"ack 7-1", "ack 7-2", "close "}, r.has())
		require.Equal(t, map[pubsub.Event]int{pubsub.EventRead: 2, pubsub.EventAcked: 2, pubsub.EventMalformed: 1}, r.seen())
		_, open := <-r.messages
		require.False(t, open)
		_, err := r.subscriber.Subscribe(t.Context(), "t")
		require.Equal(t, fault.Canceled, fault.KindOf(err))
	})
}

func TestWithoutPositionsThereIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(o *Options) { o.Positions = false })
		r.put(items("any")...)
		require.NotContains(t, r.receive().Metadata, delivery.KeyPosition)
	})
}

// The window is all that is in flight: as many messages as it holds are out at once, and a slot is free when its ack is confirmed.
func TestWindowBoundsWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(o *Options) { o.InFlight = 25 })
		for i := range 60 {
			r.put(item(fmt.Sprint(i + 1)))
		}
		for range 24 {
			r.receive()
		}
		last := r.receive()
		r.none(time.Minute)
		r.fail("ack", errDown)
		last.Ack()
		r.none(time.Minute)
		require.Equal(t, 25, r.subscriber.InHand("t"))
		r.fail("ack", nil)
		require.Equal(t, "uuid 26", r.receive().UUID)
		r.none(time.Minute)
		require.Equal(t, map[string]delivery.Position{"t": {Major: 1}}, r.subscriber.Lowest("t"))
		require.Empty(t, r.subscriber.Lowest("another topic"))
	})
}

func TestCloseAcksWhatIsDoneAndHandsBackTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.put(items("1", "2", "3", "4", "5", "6")...)
		acked, nacked, early, late := r.receive(), r.receive(), r.receive(), r.receive()
		nacked.Nack()
		synctest.Wait()
		closed := make(chan error)
		began := time.Now()
		go func() { closed <- r.subscriber.Close() }()
		synctest.Wait()
		require.True(t, r.kept, "what is held is kept until every outcome is told")
		require.NoError(t, acked.Context().Err())
		time.AfterFunc(time.Second, func() { acked.Ack() })
		<-early.Context().Done()
		require.Equal(t, 2*time.Second, time.Since(began), "handlers have CloseTimeout")
		early.Ack()
		require.NoError(t, <-closed)
		require.Equal(t, 3*time.Second, time.Since(began).Round(longTick), "and a second to give up")
		require.False(t, r.kept)
		told := r.has()
		require.Equal(t, []string{"ack 1", "ack 3", "return 5", "return 6", "return 2", "close "}, told, "late has a handler")
		require.ErrorIs(t, late.Context().Err(), context.Canceled)
		require.Equal(t, 1, r.log.count("left without an outcome"))
		require.Equal(t, map[string]delivery.Position{"t": {Major: 2}}, r.subscriber.Lowest("t"), "a floor must not pass what a handler has")
	})
}

func TestCloseWithoutABrokerSaysWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.put(items("1", "2", "3")...)
		r.fail("ack", errDown)
		r.receive().Ack()
		r.receive().Ack()
		began := time.Now()
		err := r.subscriber.Close()
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
		require.ErrorContains(t, err, `2 acks of "t" are lost`)
		require.Equal(t, err, r.subscriber.Close())
		require.Less(t, time.Since(began), 6*time.Second)
	})
}

func TestEndOfContextStopsOneSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		messages, err := r.subscriber.Subscribe(ctx, "t")
		require.NoError(t, err)
		r.put(items("1")...)
		msg := <-messages
		cancel()
		synctest.Wait()
		require.NoError(t, msg.Context().Err(), "what is in flight may finish")
		msg.Ack()
		_, open := <-messages
		require.False(t, open)
		require.Equal(t, []string{"ack 1", "close "}, r.has())
	})
}

func TestSubscribeRefusesWhatOnlyAPersonCanMend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t, nil)
		for _, topic := range []string{"", "refused"} {
			_, err := r.subscriber.Subscribe(t.Context(), topic)
			require.Equal(t, fault.Invalid, fault.KindOf(err), topic)
		}
		r.fail("prepare", fault.Invalidf("credentials", "wrong password"))
		_, err := r.subscriber.Subscribe(t.Context(), "t")
		require.Equal(t, fault.Invalid, fault.KindOf(err))
		require.Equal(t, []string{"close "}, r.has())
	})
}

func TestTheBrokerMayBeDownAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := build(t, nil)
		r.fail("prepare", errDown)
		var err error
		r.messages, err = r.subscriber.Subscribe(t.Context(), "t")
		require.NoError(t, err)
		r.put(items("1")...)
		r.none(time.Minute)
		require.False(t, r.kept)
		r.fail("prepare", nil)
		r.receive().Ack()
		synctest.Wait()
		require.True(t, r.kept)
		require.Equal(t, 1, r.log.count("does not serve"))
		require.Equal(t, 1, r.log.count("serves the topic again"))
	})
}

// gate lets through those for whom it has a token.
type gate struct {
	tokens chan struct{}
	asked  atomic.Int64
}

func (g *gate) Wait(ctx context.Context) error {
	g.asked.Add(1)
	select {
	case <-g.tokens:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestGatePausesReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{tokens: make(chan struct{}, 10)}
		r := start(t, func(o *Options) { o.Gate = g })
		r.put(items("1")...)
		r.none(time.Minute)
		g.tokens <- struct{}{}
		r.receive().Ack()
		require.EqualValues(t, 2, g.asked.Load(), "before each read")
		r.put(items("2")...)
		r.none(time.Minute)
		require.Equal(t, []string{"ack 1"}, r.has(), "outcomes are told while reading is paused")
		close(g.tokens)
		r.receive().Ack()
	})
}

// What another consumer has claimed is dropped here, unless a handler has it: then its outcome is told.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, func(o *Options) { o.InFlight = 4 })
		r.put(items("1", "2", "3", "4")...)
		nacked, acked, refused := r.receive(), r.receive(), r.receive()
		nacked.Nack()
		synctest.Wait()
		lost := func(it *Item[string]) bool { return it.ID != "4" }
		require.Equal(t, 3, r.Lose(lost))
		require.Zero(t, r.Lose(lost), "once")
		acked.Ack()
		refused.Nack()
		fourth := r.receive()
		r.none(time.Minute)
		require.Equal(t, []string{"ack 2"}, r.has())
		require.Equal(t, 1, r.subscriber.InHand("t"))
		require.Equal(t, 3, r.seen()[pubsub.EventLost])
		fourth.Ack()
		r.put(items("5", "6", "7", "8")...)
		for range 4 { // all slots are free
			r.receive().Ack()
		}
		require.NoError(t, r.subscriber.Close())
		require.NotContains(t, r.has(), "return 1")
		require.NotContains(t, r.has(), "return 3")
	})
}

// What is lost is not handed back, unless the broker has given it to this consumer once more.
func TestLostIsNotHandedBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, nil)
		r.put(items("1", "2")...)
		synctest.Wait()
		require.Equal(t, 2, r.Lose(func(*Item[string]) bool { return true }))
		require.True(t, r.Again("t", "2"))
		require.NoError(t, r.subscriber.Close())
		require.Equal(t, []string{"return 2", "close "}, r.has())
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no group":              func(o *Options) { o.Group = "" },
		"no window":             func(o *Options) { o.InFlight = 0 },
		"deliveries below zero": func(o *Options) { o.MaxDeliveries = -1 },
		"no delay":              func(o *Options) { o.Nack.Delay = 0 },
		"a hold below zero":     func(o *Options) { o.MaxHold = -1 },
		"a close timeout below": func(o *Options) { o.CloseTimeout = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			options := Options{Options: pubsub.Options{Group: "g"}, Backend: "fake", InFlight: 1, Nack: Nack{Delay: 1}}
			open := func(string, *Subscription[string]) (Source[string], error) { return nil, nil }
			_, err := NewSubscriber(options, open)
			require.NoError(t, err)
			change(&options)
			_, err = NewSubscriber(options, open)
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			require.ErrorContains(t, err, "fake: ")
		})
	}
}
