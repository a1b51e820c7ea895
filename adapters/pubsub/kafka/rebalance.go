package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leat/adapters/pubsub/inflight"
)

// Reading stands still while partitions are taken away: drainWait is how long they wait for handlers to finish, unless a stop begins,
// and revokeWait for their last commit.
const (
	drainWait  = 2 * time.Second
	revokeWait = 800 * time.Millisecond
)

// nothing is the commit of a partition that the broker knows nothing of.
var nothing = commit{offset: kgo.EpochOffset{Epoch: -1, Offset: unknown}}

// assigned makes partitions ours. What is in hand of an earlier ownership will be delivered once more.
func (s *source) assigned(ctx context.Context, client *kgo.Client, topics map[string][]int32) {
	member, _ := client.GroupMetadata()
	s.member.Store(&member)
	life := s.current(ctx)
	for _, number := range topics[s.topic] {
		name := s.group.sourceName(s.topic, life, number)
		held := s.sub.Held(name)
		s.mu.Lock()
		p := s.partitions[number]
		if p == nil || p.source != name {
			p = &partition{source: name, life: life}
			s.partitions[number] = p
		}
		p.owned, p.paused, p.stray, p.progress, p.committed, p.held = true, false, false, newProgress(), nothing, held
		s.mu.Unlock()
	}
	s.resume(client, topics[s.topic])
}

// current is the incarnation of the partitions that are assigned. The client knows the topic by its id since before it joined; if that is
// another one than is found now, it gets nothing to read, so that no message counts in the wrong one.
func (s *source) current(ctx context.Context) incarnation {
	life, _, err := s.group.backend.describe(ctx, s.topic)
	if err != nil || life == "" {
		return s.life
	}
	return life
}

// fetched learns what earlier owners of partitions that are ours now did beyond their commits, before anything is read of them.
func (s *source) fetched(_ context.Context, _ *kgo.Client, response *kmsg.OffsetFetchResponse) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	learn := func(number int32, offset int64, metadata *string) {
		p := s.partitions[number]
		if p == nil || !p.owned || offset < 0 || metadata == nil {
			return
		}
		if p.stray = p.life.strays(*metadata); p.stray {
			return
		}
		_, spans := signed(*metadata)
		p.done = parseSpans(offset, spans)
		p.committed = commit{kgo.EpochOffset{Epoch: -1, Offset: offset}, spans, p.life}
	}
	for _, group := range response.Groups {
		for _, topic := range group.Topics {
			for _, each := range topic.Partitions {
				learn(each.Partition, each.Offset, each.Metadata)
			}
		}
	}
	for _, topic := range response.Topics {
		for _, each := range topic.Partitions {
			learn(each.Partition, each.Offset, each.Metadata)
		}
	}
	return nil
}

// adjust begins partitions at their first message whose commit was meant for a topic that is gone.
func (s *source) adjust(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for number := range offsets[s.topic] {
		if p := s.partitions[number]; p != nil && p.stray {
			offsets[s.topic][number] = kgo.NewOffset().AtStart()
		}
	}
	return offsets, nil
}

// revoked drops what waits of partitions that go to another member, lets handlers finish for a while, and commits what is acked.
func (s *source) revoked(ctx context.Context, client *kgo.Client, topics map[string][]int32) {
	s.drain(topics[s.topic])
	commits := s.disown(topics[s.topic])
	if len(commits) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, revokeWait)
	defer cancel()
	if err := s.send(ctx, client, commits); err != nil {
		s.sub.Log().Warn("partitions were given up without their last commit; messages that are done will be delivered again", "error", err)
	}
}

// drain waits until nothing of the partitions is in hand, so that their next owner does not do it again. What waits for another delivery
// is dropped: it is the next owner's.
func (s *source) drain(numbers []int32) {
	owned, reading := s.owned(numbers)
	if len(owned) == 0 {
		return
	}
	s.lose(owned)
	end := time.NewTimer(drainWait)
	defer end.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for p := range owned {
		for len(s.sub.Held(p.source)) > 0 {
			select {
			case <-tick.C:
			case <-reading:
				return
			case <-end.C:
				return
			}
		}
	}
}

// owned returns those of the partitions that are ours, and what ends with the reading; none if the source is closing, as
// nothing is in flight then.
func (s *source) owned(numbers []int32) (owned map[*partition]struct{}, reading <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	owned = make(map[*partition]struct{}, len(numbers))
	for _, number := range numbers {
		if p := s.partitions[number]; p != nil && p.owned && !s.leaving {
			owned[p] = struct{}{}
		}
	}
	return owned, s.reading
}

func (s *source) lose(partitions map[*partition]struct{}) {
	s.sub.Lose(func(item *inflight.Item[entry]) bool {
		_, ok := partitions[item.Entry.partition]
		return ok
	})
}

// lost drops what waits of partitions that are another member's already.
func (s *source) lost(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
	s.disown(topics[s.topic])
}

// disown gives partitions up: acks of what is in flight are not committed any more. It returns what they have to commit.
func (s *source) disown(numbers []int32) map[int32]commit {
	gone := make(map[*partition]struct{}, len(numbers))
	commits := make(map[int32]commit)
	s.mu.Lock()
	for _, number := range numbers {
		p := s.partitions[number]
		if p == nil || !p.owned {
			continue
		}
		if last, due := p.last(); due {
			commits[number] = last
		}
		p.owned, p.progress, p.held = false, newProgress(), nil
		gone[p] = struct{}{}
	}
	leaving := s.leaving
	s.mu.Unlock()
	if !leaving && len(gone) > 0 {
		s.lose(gone)
	}
	return commits
}

// resume reads partitions on that were paused.
func (s *source) resume(client *kgo.Client, numbers []int32) {
	if len(numbers) > 0 {
		client.ResumeFetchPartitions(map[string][]int32{s.topic: numbers})
	}
}
