package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leat/adapters/pubsub/inflight"
)

// commit is what the broker is told about a partition.
type commit struct {
	offset kgo.EpochOffset
	spans  string // what is done beyond the offset
	life   incarnation
}

// Ack commits each partition up to its first message that has no ack. What was acked beyond is remembered here, and told to the broker with
// the next commit. An ack of a partition that is not ours any more is dropped.
func (s *source) Ack(ctx context.Context, items []*inflight.Item[entry]) error {
	s.mu.Lock()
	for _, item := range items {
		if item.Entry.partition.owned {
			item.Entry.partition.finish(item.Entry.record.Offset)
		}
	}
	commits, free := s.due(), s.unpause()
	s.mu.Unlock()
	client := s.client.Load()
	if client == nil { // the topic is gone, and so is what could be committed
		return nil
	}
	s.resume(client, free)
	if len(commits) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.group.backend.config.Timeout)
	defer cancel()
	return failure(s.send(ctx, client, commits), "commit %d partitions of %q", len(commits), s.topic)
}

// due returns what is to be committed: of the partitions whose first message without an ack is another one. Under the lock.
func (s *source) due() map[int32]commit {
	commits := make(map[int32]commit)
	for number, p := range s.partitions {
		if p.owned && p.next != unknown && p.next != p.committed.offset.Offset {
			commits[number] = p.commit()
		}
	}
	return commits
}

// last returns the commit of a partition that is given up; it reports false if the broker knows all of it. Under the lock.
func (p *partition) last() (commit, bool) {
	if p.first() == unknown {
		return commit{}, false
	}
	last := p.commit()
	return last, last.offset.Offset != p.committed.offset.Offset && p.next != unknown || last.spans != p.committed.spans
}

func (p *partition) commit() commit {
	offset := p.first()
	return commit{kgo.EpochOffset{Epoch: p.epoch, Offset: offset}, formatSpans(offset, p.spans()), p.life}
}

// unpause returns the paused partitions that have caught up by half. Under the lock.
func (s *source) unpause() (free []int32) {
	for number, p := range s.partitions {
		if p.paused && p.ahead() <= s.group.backend.config.MaxAhead/2 {
			p.paused = false
			free = append(free, number)
		}
	}
	return free
}

// send commits, and notes what the broker confirmed. It returns the first error.
func (s *source) send(ctx context.Context, client *kgo.Client, commits map[int32]commit) error {
	offsets := make(map[int32]kgo.EpochOffset, len(commits))
	for number, commit := range commits {
		offsets[number] = commit.offset
	}
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		for _, topic := range request.Topics {
			for n := range topic.Partitions {
				commit := commits[topic.Partitions[n].Partition]
				metadata := commit.life.sign(commit.spans)
				topic.Partitions[n].Metadata = &metadata
			}
		}
		return nil
	})
	var failed error
	client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{s.topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
			if failed = err; err == nil {
				failed = s.confirm(response, commits)
			}
		})
	return failed
}

func (s *source) confirm(response *kmsg.OffsetCommitResponse, commits map[int32]commit) (failed error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, topic := range response.Topics {
		for _, answer := range topic.Partitions {
			if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
				failed = err
				continue
			}
			if p := s.partitions[answer.Partition]; p != nil {
				p.committed = commits[answer.Partition]
			}
		}
	}
	return failed
}
