package amqp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	rabbit "github.com/rabbitmq/amqp091-go"

	"leat/handlers/fault"
)

// A chunk is what is sent before its confirms are waited for: up to publishChunk messages, ending with the one that makes it
// publishBytes long.
const (
	publishChunk = 1000
	publishBytes = 8 << 20
)

func chunks(publishings []rabbit.Publishing) iter.Seq[[]rabbit.Publishing] {
	return func(yield func([]rabbit.Publishing) bool) {
		for len(publishings) > 0 {
			n, size := 0, 0
			for n < len(publishings) && n < publishChunk && size < publishBytes {
				size += len(publishings[n].Body)
				n++
			}
			if !yield(publishings[:n]) {
				return
			}
			publishings = publishings[n:]
		}
	}
}

// outlet is a channel to publish by, in confirm mode. It is used by one call at a time.
type outlet struct {
	conn     *connection
	channel  *rabbit.Channel
	returned chan rabbit.Return // has room for a chunk
	closed   chan *rabbit.Error
}

func openOutlet(ctx context.Context, conn *connection) (*outlet, error) {
	out := &outlet{conn: conn, returned: make(chan rabbit.Return, publishChunk), closed: make(chan *rabbit.Error, 1)}
	err := conn.call(ctx, func() error {
		channel, err := conn.Channel()
		if err != nil {
			return err
		}
		out.channel = channel
		channel.NotifyClose(out.closed)
		channel.NotifyReturn(out.returned)
		return channel.Confirm(false)
	})
	return out, err
}

// publish sends a chunk and waits until the server has confirmed it. It returns those messages that came to no queue.
func (o *outlet) publish(ctx context.Context, exchange, key string, chunk []rabbit.Publishing) ([]rabbit.Publishing, error) {
	confirms := make([]*rabbit.DeferredConfirmation, len(chunk))
	err := o.conn.bounded(ctx, func() (err error) {
		for n := range chunk {
			if confirms[n], err = o.channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, true, false, chunk[n]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	refused := 0
	for _, confirm := range confirms {
		taken, err := confirm.WaitContext(ctx)
		if err != nil {
			return nil, err
		}
		if !taken {
			refused++
		}
	}
	if refused > 0 {
		return nil, fmt.Errorf("the server did not confirm %d of %d messages", refused, len(chunk))
	}
	var back []rabbit.Publishing
	for len(o.returned) > 0 { // a return comes before the confirm of its message
		back = append(back, again(<-o.returned))
	}
	return back, nil
}

// again is a returned message, to be published once more.
func again(r rabbit.Return) rabbit.Publishing {
	return rabbit.Publishing{
		Headers: r.Headers, Body: r.Body, DeliveryMode: r.DeliveryMode, MessageId: r.MessageId, Timestamp: r.Timestamp,
	}
}

// discard closes the channel. A connection on which the server does not even answer that is cut.
func (o *outlet) discard() {
	if o.channel.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	_ = o.conn.bounded(ctx, o.channel.Close)
}

// verdict gives the failure of a publish its kind, after discard.
func (o *outlet) verdict(err error, topic string) error {
	select {
	case reason, ok := <-o.closed:
		if ok {
			err = fmt.Errorf("%w: %w", err, reason)
		}
	default:
	}
	if o.conn.blocked.Load() != nil {
		err = fmt.Errorf("%w: %w", errBlocked, err)
	}
	reply, ok := errors.AsType[*rabbit.Error](err)
	if ok && reply.Code == rabbit.PreconditionFailed && strings.Contains(reply.Reason, "larger than") {
		return fault.Invalidf("message_size", "amqp: publish to %q: %w", topic, err)
	}
	return unavailable(err, "publish to %q", topic)
}
