package pubsubtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
)

// process is a backend as one group of one process of leat uses it.
type process struct {
	t       testing.TB
	s       suite
	backend pubsub.Backend
	broker  pubsub.Broker
	events  *events
	options pubsub.Options
	owned   bool // the backend ends with the process

	once    sync.Once
	done    chan struct{}
	failure error // of the stop; valid once done
}

// open starts a process in the group. It ends with the test, if not before.
func (s suite) open(t testing.TB, group string, change ...func(*pubsub.Options)) *process {
	t.Helper()
	return s.start(t, s.Connect(t), true, group, change...)
}

// link starts a process whose connections can be cut.
func (s suite) link(t testing.TB, group string, change ...func(*pubsub.Options)) (p *process, cut, mend func()) {
	t.Helper()
	backend, cut, mend := s.Link(t)
	return s.start(t, backend, true, group, change...), cut, mend
}

// after starts the process that comes after one that has stopped.
func (s suite) after(t testing.TB, before *process, change ...func(*pubsub.Options)) *process {
	t.Helper()
	return s.beside(t, before, before.options.Group, change...)
}

// beside starts another process. Where no other process can reach the messages, it is another subscriber in the same one.
func (s suite) beside(t testing.TB, p *process, group string, change ...func(*pubsub.Options)) *process {
	t.Helper()
	if s.caps.External {
		return s.open(t, group, change...)
	}
	return s.start(t, p.backend, false, group, change...)
}

func (s suite) start(t testing.TB, backend pubsub.Backend, owned bool, group string, change ...func(*pubsub.Options)) *process {
	t.Helper()
	p := &process{t: t, s: s, backend: backend, owned: owned, events: &events{}, done: make(chan struct{})}
	p.options = pubsub.Options{
		Namespace: "ns", Group: group, DedupWindow: time.Hour, CloseTimeout: 300 * time.Millisecond,
		Logger: logger(t), Observe: p.events.observe,
	}
	for _, c := range change {
		c(&p.options)
	}
	if owned {
		t.Cleanup(func() { _ = backend.Close() })
	}
	broker, err := backend.Broker(p.options)
	require.NoError(t, err, "make the broker of a group")
	p.broker = broker
	t.Cleanup(func() { _ = p.stop() })
	return p
}

// subscribe reads the topic until the process stops.
func (p *process) subscribe(topic string) <-chan *message.Message {
	p.t.Helper()
	messages, err := p.broker.Subscriber.Subscribe(context.Background(), topic)
	require.NoError(p.t, err, "subscribe")
	return messages
}

// ending begins to close the subscriber, and then the backend if there will be others. The channel is closed when that is done.
func (p *process) ending() <-chan struct{} {
	p.once.Do(func() {
		go func() {
			defer close(p.done)
			p.failure = p.broker.Subscriber.Close()
			if p.owned && p.s.caps.External {
				p.failure = errors.Join(p.failure, p.backend.Close())
			}
		}()
	})
	return p.done
}

func (p *process) stop() error {
	<-p.ending()
	return p.failure
}

// die takes the network from the process, and does not wait until it gives up. The end of the test waits for that.
func (p *process) die(cut func()) {
	cut()
	p.ending()
}

// stopped stops the process; nothing may be lost.
func (p *process) stopped() {
	p.t.Helper()
	require.NoError(p.t, p.stop(), "close")
}

// unique returns a name that no other test uses, and that every broker takes.
func unique(kind string) string { return kind + "_" + rand.Text()[:13] }

// names returns a topic and a group that are gone after the test.
func (s suite) names(t testing.TB) (topic, group string) {
	topic, group = unique("topic"), unique("group")
	s.forget(t, topic, group)
	return topic, group
}

func (s suite) forget(t testing.TB, topic string, groups ...string) {
	if s.Forget != nil {
		t.Cleanup(func() { s.Forget(t, topic, groups...) })
	}
}

// events counts what a subscriber observes.
type events struct {
	mu sync.Mutex
	n  map[pubsub.Event]int
}

func (e *events) observe(_ string, event pubsub.Event, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n == nil {
		e.n = make(map[pubsub.Event]int)
	}
	e.n[event] += n
}

func (e *events) of(event pubsub.Event) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.n[event]
}

// logger returns a logger whose text is shown if the test fails.
func logger(t testing.TB) *slog.Logger {
	text := &buffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of a process:\n%s", text)
		}
	})
	return slog.New(slog.NewTextHandler(text, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// buffer is a bytes.Buffer that many may write.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
