package nats

import (
	"context"
	"slices"
	"strconv"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// sourceName is what positions of the topic count in. Sequences may begin anew with each stream, so that it names the stream by its
// birth, in milliseconds.
func sourceName(namespace, topic string, born time.Time) string {
	name := topic + "#" + strconv.FormatInt(born.UnixMilli(), 36)
	if namespace == "" {
		return name
	}
	return namespace + ":" + name
}

// in is what positions count in of the stream that is read now; empty before the first look.
func (s *source) in() string {
	if name := s.source.Load(); name != nil {
		return *name
	}
	return ""
}

// current returns those items that came from the stream which is read now. To the others nobody listens any more; an ack
// of theirs would hit what has the same sequence in the new stream.
func (s *source) current(items []*item) []*item {
	gone := func(it *item) bool { return it.Source != s.in() }
	if !slices.ContainsFunc(items, gone) {
		return items
	}
	return slices.DeleteFunc(slices.Clone(items), gone)
}

// identify looks at the stream again if messages show that their consumer is not the one that was read before: a consumer numbers
// its deliveries, and another process may have created it anew, perhaps with its stream. If that cannot be found out, the messages go back.
func (s *source) identify(ctx context.Context, messages []*natsgo.Msg) ([]*natsgo.Msg, error) {
	anew := false
	for _, msg := range messages {
		if at, ok := parsePlace(msg.Reply); ok {
			anew = anew || at.delivery <= s.delivered
			s.delivered = at.delivery
		}
	}
	if !anew {
		return messages, nil
	}
	if _, err := s.find(ctx); err != nil {
		for _, msg := range messages {
			_ = s.backend.conn.Publish(msg.Reply, nak) // else it is delivered again after ack_wait
		}
		return nil, err
	}
	return messages, nil
}
