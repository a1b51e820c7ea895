package amqp

import (
	"context"
	"errors"

	"leat/adapters/pubsub/inflight"
)

// Ack implements inflight.Source. It waits for the server at a stop only: an ack that is lost with the connection before means that the
// message is delivered again, which may happen to any message, and effects are applied once. What came by a link that is dead cannot be acked: the server delivers it again, and effects are
// applied once. While there is a chance that this tells anybody, which is at a stop, it is an error.
func (s *source) Ack(ctx context.Context, items []*inflight.Item[entry]) error {
	link := s.link.Load()
	if link != nil {
		if tags := tagsOf(link, items); len(tags) > 0 {
			err := link.ack(tags)
			if s.ended() { // the last chance to learn that the server has not got them
				err = errors.Join(err, link.heard(ctx))
			}
			if err != nil {
				s.drop(ctx, link)
				return s.failure(err)
			}
		}
		return nil
	}
	if s.ended() {
		return unavailable(errNoLink, "ack in %q", s.names.queue)
	}
	return nil
}

var errNoLink = errors.New("the connection is gone, and reading has ended")

// ended reports whether reading has ended, so that no new link will come.
func (s *source) ended() bool {
	select {
	case <-s.begun:
		return s.reading.Err() != nil
	default:
		return false
	}
}

// tagsOf returns the tags of those items that came by the link.
func tagsOf(link *link, items []*inflight.Item[entry]) []uint64 {
	tags := make([]uint64, 0, len(items))
	for _, it := range items {
		if it.Entry.link == link {
			tags = append(tags, it.Entry.tag)
		}
	}
	return tags
}

// Return implements inflight.Source. A quorum queue counts it as a delivery.
func (s *source) Return(ctx context.Context, items []*inflight.Item[entry]) error {
	link := s.link.Load()
	if link == nil {
		return nil // the server has them
	}
	if err := link.requeue(ctx, tagsOf(link, items)); err != nil {
		s.drop(ctx, link)
		return s.failure(err)
	}
	return nil
}

// Close implements inflight.Source. The server answers when it has read all acks.
func (s *source) Close(ctx context.Context) error {
	link := s.link.Swap(nil)
	if link == nil {
		return nil
	}
	if link.channel.IsClosed() {
		link.pumps.Wait()
		return nil
	}
	return s.failure(link.close(ctx))
}
