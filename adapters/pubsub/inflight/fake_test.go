package inflight

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a source whose broker the test plays: it hands out what the test puts in, and writes down what it is told.
type fake struct {
	*Subscription[string]

	mu      sync.Mutex
	items   []*Item[string] // to be handed out
	changed chan struct{}
	fails   map[string]error // by operation
	told    []string         // "ack 1", "return 2", "close"
	kept    bool             // Keep runs
}

func (f *fake) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// tell notes what the subscription says, unless the operation fails.
func (f *fake) tell(operation string, items []*Item[string]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fails[operation]; err != nil {
		return err
	}
	for _, it := range items {
		f.told = append(f.told, operation+" "+it.ID)
	}
	return nil
}

func (f *fake) fail(operation string, err error) { f.do(func() { f.fails[operation] = err }) }

// put lets the broker have messages.
func (f *fake) put(items ...*Item[string]) {
	f.do(func() { f.items = append(f.items, items...) })
}

// has returns what the broker was told.
func (f *fake) has() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told)
}

func (f *fake) Prepare(context.Context) error { return f.tell("prepare", nil) }

func (f *fake) Fetch(ctx context.Context) error {
	room := f.Room(ctx, 10, time.Second)
	if room == 0 {
		return nil
	}
	end := time.NewTimer(time.Second)
	defer end.Stop()
	for {
		f.mu.Lock()
		err, changed := f.fails["fetch"], f.changed
		n := min(room, len(f.items))
		items := slices.Clone(f.items[:n])
		if err == nil {
			f.items = f.items[n:]
		}
		f.mu.Unlock()
		if err != nil {
			f.Take(room, pubsub.EventRead)
			return err
		}
		if n > 0 {
			f.Take(room, pubsub.EventRead, items...)
			return nil
		}
		select {
		case <-changed:
			continue
		case <-end.C:
		case <-ctx.Done():
		}
		f.Take(room, pubsub.EventRead)
		return nil
	}
}

func (f *fake) Message(it *Item[string]) *message.Message {
	msg := message.NewMessage("uuid "+it.ID, []byte(it.Entry))
	msg.Metadata = message.Metadata{"of": "the producer", "leat_deliveries": "77", "leat_exhausted": "yes", "leat_malformed": "yes"}
	return msg
}

func (f *fake) Ack(_ context.Context, items []*Item[string]) error { return f.tell("ack", items) }

func (f *fake) Return(_ context.Context, items []*Item[string]) error { return f.tell("return", items) }

func (f *fake) Keep(ctx context.Context) {
	f.do(func() { f.kept = true })
	<-ctx.Done()
	f.do(func() { f.kept = false })
}

func (f *fake) Close(context.Context) error { return f.tell("close", []*Item[string]{{}}) }

func (f *fake) Consumer() string { return "c1" }

// rig is a subscriber of the topic "t" over a fake broker.
type rig struct {
	*fake
	t          *testing.T
	subscriber *Subscriber[string]
	messages   <-chan *message.Message
	log        *logBuffer
	events     map[pubsub.Event]int
	eventsMu   sync.Mutex
}

// build makes a rig that has not subscribed.
func build(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, log: &logBuffer{}, events: make(map[pubsub.Event]int)}
	r.fake = &fake{changed: make(chan struct{}), fails: make(map[string]error)}
	options := Options{Backend: "fake", InFlight: 100, Nack: Nack{Delay: time.Second, MaxDelay: time.Minute}, MaxDeliveries: 3, Positions: true}
	options.Options = pubsub.Options{
		Group: "g", CloseTimeout: 2 * time.Second, Logger: slog.New(slog.NewTextHandler(r.log, nil)),
		Observe: func(_ string, event pubsub.Event, n int) {
			r.eventsMu.Lock()
			defer r.eventsMu.Unlock()
			r.events[event] += n
		},
	}
	if change != nil {
		change(&options)
	}
	var err error
	r.subscriber, err = NewSubscriber(options, func(topic string, s *Subscription[string]) (Source[string], error) {
		if topic == "refused" {
			return nil, fault.Invalidf("topic", "refused")
		}
		r.Subscription = s
		return r.fake, nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.subscriber.Close() })
	return r
}

// start makes a rig that has subscribed.
func start(t *testing.T, change func(*Options)) *rig {
	t.Helper()
	r := build(t, change)
	var err error
	r.messages, err = r.subscriber.Subscribe(context.Background(), "t")
	require.NoError(t, err)
	return r
}

func (r *rig) seen() map[pubsub.Event]int {
	r.eventsMu.Lock()
	defer r.eventsMu.Unlock()
	return maps.Clone(r.events)
}

// receive returns the next message; the bubble's time makes waiting free.
func (r *rig) receive() *message.Message {
	r.t.Helper()
	select {
	case msg, open := <-r.messages:
		require.True(r.t, open, "the channel was closed")
		return msg
	case <-time.After(time.Hour):
		r.t.Fatal("no message came")
		return nil
	}
}

// none holds that no message comes within a time.
func (r *rig) none(most time.Duration) {
	r.t.Helper()
	select {
	case msg, open := <-r.messages:
		require.False(r.t, open, "message %v came", msg)
	case <-time.After(most):
	}
}

func item(id string) *Item[string] {
	return &Item[string]{ID: id, Entry: "payload " + id, Source: "t", Deliveries: 1, Size: 10}
}

func items(ids ...string) (list []*Item[string]) {
	for _, id := range ids {
		list = append(list, item(id))
	}
	return list
}

func delivered(id string, times int) *Item[string] {
	it := item(id)
	it.Deliveries = times
	return it
}

// logBuffer is a log that tests read.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}
