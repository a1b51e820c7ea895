package kafka

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"
)

// errReborn is why a subscription begins anew.
var errReborn = errors.New("the topic was deleted; it is read as it is now, or created")

// reborn reports whether the topic is not the one that is being read, so that the client will never read of it again.
func (s *source) reborn(ctx context.Context) bool {
	if s.life == "" {
		return false
	}
	life, _, err := s.group.backend.describe(ctx, s.topic)
	return missing(err) || err == nil && life != s.life
}

// rejoin leaves the group as a reader of a topic that is gone. What is in hand of it is handled to its end; there is nothing to commit. The
// next Fetch prepares anew.
func (s *source) rejoin(ctx context.Context) {
	s.mu.Lock()
	for _, p := range s.partitions {
		p.owned = false
	}
	s.partitions = make(map[int32]*partition)
	s.mu.Unlock()
	client := s.client.Swap(nil)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeWait)
	defer cancel()
	_ = s.leave(ctx, client)
}

// leave gives up a member.
func (s *source) leave(ctx context.Context, client *kgo.Client) error {
	client.AllowRebalance()
	err := client.LeaveGroupContext(ctx)
	s.giveUp()
	client.Close()
	client.AllowRebalance() // Close polls once more, which may hold up the end of a goroutine of the client's
	return err
}
