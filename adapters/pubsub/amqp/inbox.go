package amqp

import (
	"sync"
	"time"

	rabbit "github.com/rabbitmq/amqp091-go"
)

// arrival is a delivery that nobody has taken yet.
type arrival struct {
	delivery rabbit.Delivery
	at       time.Time
}

// inbox has what the server pushed by one channel, oldest first. The prefetch of the consumers bounds it; it is
// made less where messages are large.
type inbox struct {
	more chan struct{} // something changed

	mu      sync.Mutex
	waiting []arrival
	bytes   int  // of their bodies
	ended   bool // a consumer has ended without being told to
}

func newInbox() *inbox { return &inbox{more: make(chan struct{}, 1)} }

func (b *inbox) signal() {
	select {
	case b.more <- struct{}{}:
	default:
	}
}

func (b *inbox) put(delivery rabbit.Delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, arrival{delivery, time.Now()})
	b.bytes += len(delivery.Body)
	b.signal()
}

// end notes that nothing more comes from one of the consumers.
func (b *inbox) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.signal()
}

func (b *inbox) hasEnded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

// take removes up to n arrivals.
func (b *inbox) take(n int) []arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n >= len(b.waiting) {
		taken := b.waiting
		b.waiting, b.bytes = nil, 0
		return taken
	}
	taken := append([]arrival(nil), b.waiting[:n]...)
	for i := range taken {
		b.bytes -= len(taken[i].delivery.Body)
	}
	clear(b.waiting[:n])
	b.waiting = b.waiting[n:]
	return taken
}

// fitting returns how many messages of the size of those that wait fit into room bytes, at least 1; 0 if those that
// wait fit.
func (b *inbox) fitting(room int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes <= room {
		return 0
	}
	return max(1, len(b.waiting)*room/b.bytes)
}

// oldest returns when the first arrival came; zero if there is none.
func (b *inbox) oldest() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) == 0 {
		return time.Time{}
	}
	return b.waiting[0].at
}
