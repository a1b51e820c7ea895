package pubsubtest

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/delivery"
)

// place is where a message stands in the broker.
type place struct {
	source   string
	position delivery.Position
}

func placeOf(msg *message.Message) place {
	info := delivery.Of(msg)
	return place{info.Source, info.Position}
}

// positionsGrow: positions of one source grow in the order of publishing, are unique, and are the same in each delivery.
func positionsGrow(t testing.TB, s suite) {
	if !s.caps.Positions {
		notApplicable(t, "messages have no positions")
	}
	topic, group := s.names(t)
	p := s.open(t, group, func(o *pubsub.Options) { o.CloseTimeout = s.patience })
	messages := p.subscribe(topic)
	p.publish(topic, 0, 50)
	for n := 50; n < 60; n++ {
		p.publish(topic, n, 1)
	}
	first := map[string]place{}
	byNumber := make([]place, 60)
	for _, msg := range receiveN(t, s, messages, 60) {
		first[string(msg.Payload)] = placeOf(msg)
		byNumber[number(t, msg)] = placeOf(msg)
		msg.Nack() // so that it is handed back, by the next delivery or the close
	}
	last := map[string]delivery.Position{}
	for n, at := range byNumber {
		require.NotZero(t, at.position, "position of message %d", n)
		require.True(t, last[at.source].Less(at.position), "message %d stands at %v in %q, the one before at %v", n, at.position, at.source, last[at.source])
		last[at.source] = at.position
	}
	for range 60 {
		msg := receive(t, s, messages)
		require.Equal(t, first[string(msg.Payload)], placeOf(msg), "after a nack")
		msg.Nack()
	}
	p.stopped()
	messages = s.after(t, p).subscribe(topic)
	for range 60 {
		msg := receive(t, s, messages)
		require.Equal(t, first[string(msg.Payload)], placeOf(msg), "in the next process")
		msg.Ack()
	}
}

// floorHolds: the ack floor never passes what has no outcome, whichever process of the group is asked, and passes what is acked.
func floorHolds(t testing.TB, s suite) {
	if !s.caps.Positions {
		timeFloorHolds(t, s)
		return
	}
	topic, group := s.names(t)
	p := s.open(t, group)
	messages := p.subscribe(topic)
	other := s.beside(t, p, group)
	p.publish(topic, 0, 60)
	held := receiveN(t, s, messages, 60)
	low := newLowWater(t, topic, p, other)
	low.check(held)
	for i := range 20 { // the middle first, then the beginning, the end last
		held[20+i].Ack()
		low.check(held[:20], held[21+i:])
	}
	held[40].Nack()
	low.check(held[:20], held[40:])
	held[40] = receive(t, s, messages)
	for i := range 20 {
		held[i].Ack()
		low.check(held[i+1:20], held[40:])
	}
	ackAll(held[40:]...)
	until(t, s.patience, func() bool {
		floors := low.read(p)
		for _, msg := range held {
			if at := placeOf(msg); !at.position.Less(floors[at.source]) {
				return false
			}
		}
		return true
	}, func() string { return "the floor does not pass what is acked" })
}

// lowWater reads the ack floors of processes, and holds that they do not fall.
type lowWater struct {
	t         testing.TB
	topic     string
	processes []*process
	before    map[*process]map[string]delivery.Position
}

func newLowWater(t testing.TB, topic string, processes ...*process) *lowWater {
	return &lowWater{t, topic, processes, make(map[*process]map[string]delivery.Position)}
}

func (l *lowWater) read(p *process) map[string]delivery.Position {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), p.s.patience)
	defer cancel()
	floors, err := p.broker.Floors.Floors(ctx, l.topic)
	require.NoError(l.t, err, "floors")
	for source, before := range l.before[p] {
		require.False(l.t, floors[source].Less(before), "the floor of %q fell from %v to %v", source, before, floors[source])
	}
	l.before[p] = floors
	return floors
}

// check holds that no floor has passed a message without an outcome.
func (l *lowWater) check(unacked ...[]*message.Message) {
	l.t.Helper()
	for i, p := range l.processes {
		floors := l.read(p)
		for _, messages := range unacked {
			for _, msg := range messages {
				at := placeOf(msg)
				require.False(l.t, at.position.Less(floors[at.source]), "the floor of %q, asked of process %d, is %v; message %s at %v has no outcome", at.source, i, floors[at.source], msg.Payload, at.position)
			}
		}
	}
}

// timeFloorHolds: where there are no positions, the floor is the beginning of the dedup window, or when the oldest message in
// hand came, if that is earlier.
func timeFloorHolds(t testing.TB, s suite) {
	const window = 100 * time.Millisecond
	topic, group := s.names(t)
	p := s.open(t, group, func(o *pubsub.Options) { o.DedupWindow = window })
	low := newLowWater(t, topic, p)
	floor := func() time.Time {
		floors := low.read(p)
		require.Len(t, floors, 1, "a backend without positions has one source")
		position := floors["ns:"+topic]
		require.Zero(t, position.Minor)
		return time.UnixMilli(int64(position.Major))
	}
	messages := p.subscribe(topic)
	before := time.Now()
	require.WithinRange(t, floor(), before.Add(-window-time.Millisecond), time.Now().Add(-window))
	p.publish(topic, 0, 1)
	msg := receive(t, s, messages)
	require.Empty(t, msg.Metadata[delivery.KeyPosition])
	came := time.Now()
	none(t, 4*window, "there is one message", messages)
	require.WithinRange(t, floor(), before.Add(-window-time.Millisecond), came, "the floor waits for what is in hand")
	msg.Ack()
	until(t, s.patience, func() bool { return floor().After(came) }, func() string { return "the floor does not rise" })
}
