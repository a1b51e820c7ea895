package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leat/handlers/fault"
)

// login remembers whether the last broker that was shown the credentials hung up.
type login struct{ hungUp atomic.Bool }

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (l *login) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if kmsg.Key(key) == kmsg.SASLAuthenticate {
		l.hungUp.Store(errors.Is(e2e.ReadErr, io.EOF))
	}
}

// link remembers whether the brokers answer: the client retries in silence, and an empty poll may mean that nothing was published, or that
// nobody is there.
type link struct{ broken atomic.Pointer[error] }

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (l *link) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		l.broken.Store(&err)
	}
}

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (l *link) OnBrokerE2E(_ kgo.BrokerMetadata, _ int16, e2e kgo.BrokerE2E) {
	if e2e.Err() == nil {
		l.broken.Store(nil)
	}
}

// trouble is what is wrong with reading, nil if nothing is. The client goes on trying, unless the
// topic is not there any more: then it is left.
func (s *source) trouble(ctx context.Context, fetches kgo.Fetches) error {
	for _, each := range fetches.Errors() {
		if !errors.Is(each.Err, context.DeadlineExceeded) {
			s.group.backend.topics.forget(s.topic)
			if s.reborn(ctx) {
				s.rejoin(ctx)
				return failure(errReborn, "read %q", s.topic)
			}
			return failure(each.Err, "read %q", s.topic)
		}
	}
	if err := s.link.broken.Load(); err != nil && fetches.NumRecords() == 0 {
		return fault.Unavailablef("kafka: read %q: %w", s.topic, *err)
	}
	return nil
}
