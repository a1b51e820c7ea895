package amqp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	rabbit "github.com/rabbitmq/amqp091-go"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

// publishers is how many calls publish at the same time, each on a channel of its own.
const publishers = 16

// Publisher publishes to the exchanges of topics. It is safe for concurrent use.
type Publisher struct {
	pubsub.Flat
	config Config
	line   *line
	slots  chan struct{} // one for each call that publishes

	calls sync.RWMutex // held for reading during a call
	ended bool

	mu   sync.Mutex
	idle []*outlet
}

var _ pubsub.Publisher = (*Publisher)(nil)

func newPublisher(line *line, config Config) *Publisher {
	p := &Publisher{config: config, line: line, slots: make(chan struct{}, publishers)}
	p.Flat = pubsub.Flat{Publisher: p}
	return p
}

// Publish publishes the messages in their order, in the form of the stock Watermill adapter, and returns when the server has confirmed
// that all are in durable queues: those of all groups, or, where the topic has no group, the one named like the topic.
// The context of the first message bounds the call, and PublishTimeout each round of up to 1000 messages.
//
// Errors are of kind Unavailable when the server does not take the messages, also because it is short of memory or disk; Canceled when the context
// or the publisher was ended; Invalid when the server can never take a message: it is larger than the server allows, its metadata does not
// fit into a frame, or the topic cannot be a name. Unless it is the metadata or the topic, part of the messages may have arrived.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	if err := checkName(topic); err != nil {
		return err
	}
	p.calls.RLock()
	defer p.calls.RUnlock()
	if p.ended {
		return &fault.Error{Kind: fault.Canceled, Code: "closed", Err: errors.New("amqp: the publisher is closed")}
	}
	ctx := messages[0].Context()
	conn, free, err := p.admit(ctx)
	if err != nil {
		return unavailable(err, "publish to %q", topic)
	}
	defer free()
	publishings := make([]rabbit.Publishing, len(messages))
	for n, msg := range messages {
		if publishings[n], err = encode(msg, time.Now(), headerRoom(conn.Config.FrameSize)); err != nil {
			return err
		}
	}
	return p.send(ctx, conn, topic, publishings)
}

// Close makes later calls fail, waits for those under way, and ends the connection.
func (p *Publisher) Close() error {
	p.calls.Lock()
	defer p.calls.Unlock()
	p.ended = true
	p.idle = nil
	p.line.close()
	return nil
}

// admit waits until the call may publish, and the server takes messages. Free must be called at the end.
func (p *Publisher) admit(ctx context.Context) (conn *connection, free func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.PublishTimeout)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		free = func() { <-p.slots }
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("wait for other calls: %w", ctx.Err())
	}
	if conn, err = p.line.get(ctx); err == nil {
		err = conn.unblocked(ctx)
	}
	if err != nil {
		free()
		return nil, nil, err
	}
	return conn, free, nil
}

// send publishes by a channel that nobody else uses meanwhile.
func (p *Publisher) send(ctx context.Context, conn *connection, topic string, publishings []rabbit.Publishing) error {
	err := conn.once(ctx, "exchange "+topic, func() error { return conn.declareExchange(ctx, topic) })
	if err != nil {
		return unavailable(err, "publish to %q: declare its exchange", topic)
	}
	out, err := p.outlet(ctx, conn)
	if err != nil {
		return unavailable(err, "publish to %q: open a channel", topic)
	}
	if err := p.route(ctx, out, topic, publishings); err != nil {
		out.discard()
		return out.verdict(err, topic)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, out)
	return nil
}

// route publishes to the exchange, and what that brought to no queue to the queue of the topic.
func (p *Publisher) route(ctx context.Context, out *outlet, topic string, publishings []rabbit.Publishing) error {
	for chunk := range chunks(publishings) {
		if err := p.round(ctx, out, topic, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (p *Publisher) round(ctx context.Context, out *outlet, topic string, chunk []rabbit.Publishing) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.PublishTimeout)
	defer cancel()
	returned, err := out.publish(ctx, topic, "", chunk)
	if err != nil {
		out.conn.declared.Delete("exchange " + topic) // it may be gone
		return err
	}
	if len(returned) == 0 {
		return nil
	}
	queue := "queue " + topic
	if err := out.conn.once(ctx, queue, func() error { return out.conn.declareQueue(ctx, topic, p.config.Queue.Type) }); err != nil {
		return fmt.Errorf("declare its queue: %w", err)
	}
	returned, err = out.publish(ctx, "", topic, returned)
	if err == nil && len(returned) > 0 {
		err = fmt.Errorf("%d messages came to no queue: it was deleted meanwhile", len(returned))
	}
	if err != nil {
		out.conn.declared.Delete(queue)
	}
	return err
}

// outlet returns an idle channel of the connection, or a new one.
func (p *Publisher) outlet(ctx context.Context, conn *connection) (*outlet, error) {
	p.mu.Lock()
	for len(p.idle) > 0 {
		out := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if out.conn == conn && !out.channel.IsClosed() {
			p.mu.Unlock()
			return out, nil
		}
	}
	p.mu.Unlock()
	return openOutlet(ctx, conn)
}
