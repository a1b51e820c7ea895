package sql

import (
	"context"
	"sync"
	"time"
)

// channel is where publishers tell of new messages; the payload is the topic. Publishers outside leat may use it too:
// SELECT pg_notify('leat_messages', 'topic').
const channel = "leat_messages"

// ringPause is the least time between two notifications. They are kept out of the transactions that publish: a
// commit with a notification waits for all others of the server that have one.
const ringPause = time.Millisecond

// notifier tells subscribers of new messages, with as few statements as keep them quick. What it cannot tell, they find when they poll.
type notifier struct {
	backend *Backend
	rang    chan struct{}
	cancel  context.CancelFunc
	done    chan struct{}

	mu     sync.Mutex
	topics map[string]struct{} // to be told of
}

func newNotifier(b *Backend) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	n := &notifier{backend: b, rang: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}), topics: make(map[string]struct{})}
	go n.run(ctx)
	return n
}

// ring tells of the topic soon. It does not block.
func (n *notifier) ring(topic string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.topics[topic] = struct{}{}
	select {
	case n.rang <- struct{}{}:
	default:
	}
}

// close tells what is left, and ends the notifier.
func (n *notifier) close() {
	n.cancel()
	<-n.done
}

func (n *notifier) run(ctx context.Context) {
	defer close(n.done)
	for ctx.Err() == nil {
		select {
		case <-n.rang:
			n.tell(ctx)
			wait(ctx, ringPause)
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	n.tell(last)
}

func (n *notifier) tell(ctx context.Context) {
	n.mu.Lock()
	topics := make([]string, 0, len(n.topics))
	for topic := range n.topics {
		topics = append(topics, topic)
	}
	clear(n.topics)
	n.mu.Unlock()
	if len(topics) == 0 {
		return
	}
	ctx, cancel := n.backend.bounded(ctx)
	defer cancel()
	if _, err := n.backend.pool.Exec(ctx, "SELECT pg_notify($1, t) FROM unnest($2::text[]) AS t", channel, topics); err != nil {
		n.backend.log.Debug("subscribers were not told of new messages; they find them when they poll", "error", err)
	}
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
