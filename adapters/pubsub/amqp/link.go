package amqp

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"

	rabbit "github.com/rabbitmq/amqp091-go"
)

// link is a channel that a subscription reads by. Its delivery tags mean nothing elsewhere: when it dies, the
// server delivers all that is not acked again, and an ack for it on another channel would end that one.
type link struct {
	conn       *connection
	channel    *rabbit.Channel
	generation uint64 // tells the links of this process apart
	consumer   string
	queues     []string
	prefetch   atomic.Int64
	closed     chan *rabbit.Error
	reason     atomic.Pointer[rabbit.Error] // what came by closed
	inbox      *inbox
	pumps      sync.WaitGroup

	rpc sync.Mutex // the client library cannot tell the answers of concurrent calls apart

	consuming bool // the consumers are there; only changed by who holds source.turn

	mu   sync.Mutex // held while acks and nacks are written, or one ack could be for what another hands back
	tags tags
}

var generations atomic.Uint64

// openLink opens a channel. Its consumers do not consume yet.
func openLink(ctx context.Context, conn *connection, consumer string, prefetch int, queues ...string) (*link, error) {
	l := &link{
		conn: conn, generation: generations.Add(1), consumer: consumer, queues: queues,
		closed: make(chan *rabbit.Error, 1), inbox: newInbox(), tags: newTags(),
	}
	l.prefetch.Store(int64(prefetch))
	err := conn.call(ctx, func() error {
		channel, err := conn.Channel()
		if err != nil {
			return err
		}
		l.channel = channel
		channel.NotifyClose(l.closed)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// call runs a call that waits for an answer on the channel.
func (l *link) call(ctx context.Context, call func() error) error {
	l.rpc.Lock()
	defer l.rpc.Unlock()
	return l.conn.call(ctx, call)
}

// tag is the name of the consumer of a queue, within the channel.
func (l *link) tag(queue string) string {
	name := l.consumer + " " + queue
	return name[:min(len(name), math.MaxUint8)]
}

// consume starts the consumers unless they are there.
func (l *link) consume(ctx context.Context) error {
	if l.consuming {
		return nil
	}
	if err := l.heard(ctx); err != nil { // consumers begin with the prefetch that was set last
		return err
	}
	for _, queue := range l.queues {
		var deliveries <-chan rabbit.Delivery
		err := l.call(ctx, func() (err error) {
			deliveries, err = l.channel.Consume(queue, l.tag(queue), false, false, false, false, nil)
			return err
		})
		if err != nil {
			return err
		}
		l.pumps.Go(func() {
			for delivery := range deliveries {
				l.inbox.put(delivery)
			}
			l.inbox.end()
		})
	}
	l.consuming = true
	return nil
}

// handBack ends the consumers, and gives the server back what nobody has taken. What was taken stays, and can be acked.
func (l *link) handBack(ctx context.Context) (n int, err error) {
	if !l.consuming {
		return 0, nil
	}
	for _, queue := range l.queues {
		if err := l.call(ctx, func() error { return l.channel.Cancel(l.tag(queue), false) }); err != nil {
			return 0, err
		}
	}
	l.pumps.Wait() // all that came before the server's answer is in the inbox now
	l.consuming = false
	left := l.inbox.take(math.MaxInt)
	tags := make([]uint64, len(left))
	for i := range left {
		tags[i] = left[i].delivery.DeliveryTag
	}
	if l.channel.IsClosed() {
		return 0, l.failure()
	}
	l.inbox = newInbox()
	return len(left), l.requeue(ctx, tags)
}

// ack writes that the tags are done with. The server reads what is written in its order, the end of the channel included.
func (l *link) ack(tags []uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	upTo, single := l.tags.settle(tags)
	if upTo > 0 {
		if err := l.channel.Ack(upTo, true); err != nil {
			return err
		}
	}
	for _, tag := range single {
		if err := l.channel.Ack(tag, false); err != nil {
			return err
		}
	}
	return nil
}

// requeue hands the tags back to the server, and returns when it has heard that.
func (l *link) requeue(ctx context.Context, tags []uint64) error {
	if len(tags) == 0 {
		return nil
	}
	err := func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, tag := range tags {
			if err := l.channel.Nack(tag, false, true); err != nil {
				return err
			}
		}
		l.tags.settle(tags)
		return nil
	}()
	return errors.Join(err, l.heard(ctx))
}

// heard returns when the server has read what was written before: acks have no answer of their own, setting the prefetch of future
// consumers has one.
func (l *link) heard(ctx context.Context) error {
	err := l.call(ctx, func() error { return l.channel.Qos(int(l.prefetch.Load()), 0, false) })
	if err != nil {
		return errors.Join(l.failure(), err)
	}
	return nil
}

// failure says why the link is dead; nil if it is not.
func (l *link) failure() error {
	if !l.channel.IsClosed() {
		return nil
	}
	select {
	case reason := <-l.closed: // nil once it has been told
		l.reason.CompareAndSwap(nil, reason)
	default:
	}
	if reason := l.reason.Load(); reason != nil {
		return reason
	}
	return rabbit.ErrClosed
}

// close ends the channel: the server delivers again what is not acked.
func (l *link) close(ctx context.Context) error {
	err := l.call(ctx, l.channel.Close)
	l.pumps.Wait()
	return err
}
