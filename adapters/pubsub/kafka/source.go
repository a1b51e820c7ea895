package kafka

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

const (
	// pollMost is how many records one round of reading takes at most, and pollWait how long it waits for one.
	pollMost = 2000
	pollWait = time.Second
	// fetchWait is how long a broker waits for something to send. A partition that is read anew waits for that, too.
	fetchWait = 250 * time.Millisecond
	// fetchBytes is how much the client reads ahead of the window from one broker, and a quarter of it of one partition.
	fetchBytes = 8 << 20
)

// entry is what a message is made of, and where its ack goes.
type entry struct {
	record    *kgo.Record
	partition *partition
}

// source is one topic, read as one member of the group. Its client rebalances in the background, though never between a poll and
// the end of the round: partitions come and go only while no record is on its way into the window.
type source struct {
	group  *group
	topic  string
	sub    *inflight.Subscription[entry]
	client atomic.Pointer[kgo.Client] // nil until it is prepared, and when it must be anew
	giveUp context.CancelFunc         // ends all that the client waits for
	life   incarnation                // of the topic that the client reads; only changed while there is no client
	link   link
	member atomic.Pointer[string]

	mu         sync.Mutex
	partitions map[int32]*partition // all that this member has ever owned
	reading    <-chan struct{}      // ends with the reading
	leaving    bool
}

// partition is what a member knows about a partition that it owns, or owned.
type partition struct {
	source string // namespace:topic#incarnation/partition
	life   incarnation
	owned  bool
	paused bool // it ran too far ahead of its commit
	stray  bool // its commit was meant for another incarnation
	progress
	committed commit
	// held has the ids of what is in hand of an earlier ownership: the broker delivers it again.
	held map[string]struct{}
}

// Prepare joins the group.
func (s *source) Prepare(ctx context.Context) error {
	b := s.group.backend
	b.topics.forget(s.topic)
	if err := b.topics.ensure(ctx, s.topic); err != nil {
		return verdict(err, "find or create the topic %q", s.topic)
	}
	life, _, err := b.describe(ctx, s.topic)
	if err != nil {
		return verdict(err, "find the topic %q", s.topic)
	}
	asking, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	if _, err := b.admin.FetchOffsets(asking, s.group.options.Group); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return verdict(err, "ask for the group %q", s.group.options.Group)
	}
	s.life = life
	lifetime, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	client, err := b.open(append(s.consuming(), kgo.WithContext(lifetime))...)
	if err != nil {
		giveUp()
		return err
	}
	s.giveUp = giveUp
	s.client.Store(client)
	s.group.add(s)
	return nil
}

func (s *source) consuming() []kgo.Opt {
	config := &s.group.backend.config
	return []kgo.Opt{
		kgo.ConsumeTopics(s.topic),
		kgo.ConsumerGroup(s.group.options.Group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(s.assigned),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.lost),
		kgo.OnOffsetsFetched(s.fetched),
		kgo.AdjustFetchOffsetsFn(s.adjust),
		kgo.SessionTimeout(config.SessionTimeout),
		kgo.HeartbeatInterval(min(3*time.Second, config.SessionTimeout/4)),
		// A member has drainWait and revokeWait to give partitions up, after the heartbeat that tells it to.
		kgo.RebalanceTimeout(max(config.SessionTimeout, 5*time.Second)),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchBytes / 4),
		kgo.FetchMaxWait(fetchWait),
		kgo.WithHooks(&s.link),
	}
}

// Fetch takes what the client has read ahead.
func (s *source) Fetch(ctx context.Context) error {
	s.mu.Lock()
	s.reading = ctx.Done()
	s.mu.Unlock()
	room := s.sub.Room(ctx, pollMost, time.Second)
	if room == 0 {
		return nil
	}
	client := s.client.Load()
	if client == nil {
		if err := s.Prepare(ctx); err != nil {
			s.sub.Take(room, pubsub.EventRead)
			return err
		}
		client = s.client.Load()
	}
	polling, cancel := context.WithTimeout(ctx, pollWait)
	defer cancel()
	fetches := client.PollRecords(polling, room)
	defer client.AllowRebalance()
	items := s.accept(fetches)
	s.sub.Take(room, pubsub.EventRead, items...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.trouble(ctx, fetches)
}

// accept makes items of the records. What is in hand already is not made twice.
func (s *source) accept(fetches kgo.Fetches) []*inflight.Item[entry] {
	n := fetches.NumRecords()
	if n == 0 {
		return nil
	}
	items := make([]*inflight.Item[entry], 0, n)
	fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
		p, fresh := s.deliver(fetched.Partition, fetched.Records)
		for _, record := range fresh {
			id := strconv.FormatUint(uint64(record.Offset)+1, 10)
			if p.again(s, id) {
				continue
			}
			items = append(items, &inflight.Item[entry]{
				Entry: entry{detached(record), p}, ID: id, Source: p.source, Deliveries: 1,
				Size: size(record), PublishedAt: publishedAt(record),
			})
		}
	})
	return items
}

// deliver notes that records of a partition are handed out, and pauses the partition if it has run too far. It returns those that
// no earlier owner has done; none if the partition is not ours.
func (s *source) deliver(number int32, records []*kgo.Record) (p *partition, fresh []*kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p = s.partitions[number]
	if p == nil || !p.owned {
		return nil, nil
	}
	fresh = records[:0]
	for _, record := range records {
		if !p.deliver(record.Offset, record.LeaderEpoch) {
			p = s.anew(number, p)
			s.sub.Log().Warn("the partition goes back: its log was cut or reset", "partition", number, "offset", record.Offset)
		}
		if p.did(record.Offset) {
			p.finish(record.Offset)
		} else {
			fresh = append(fresh, record)
		}
	}
	if !p.paused && p.ahead() >= s.group.backend.config.MaxAhead {
		p.paused = true
		s.client.Load().PauseFetchPartitions(map[string][]int32{s.topic: {number}})
		s.sub.Log().Warn("a message without an ack holds up the commit of its partition, which is not read on until it has one",
			"partition", number, "position", p.first()+1, "ahead", p.ahead())
	}
	return p, fresh
}

// anew makes a partition of one whose log was cut: an ack of what is in hand must not count for the message that stands there now.
func (s *source) anew(number int32, p *partition) *partition {
	next := *p
	next.committed, next.held = nothing, nil
	p.owned = false
	s.partitions[number] = &next
	return &next
}

// again reports whether a message of an earlier ownership is still in hand.
func (p *partition) again(s *source, id string) bool {
	if len(p.held) == 0 {
		return false
	}
	if _, ok := p.held[id]; !ok {
		return false
	}
	delete(p.held, id)
	return s.sub.Again(p.source, id)
}

// read adds the offsets that come next to next.
func (s *source) read(next map[int32]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for number, p := range s.partitions {
		if p.owned && p.read != unknown {
			next[number] = p.read
		}
	}
}

// Message implements inflight.Source.
func (s *source) Message(item *inflight.Item[entry]) *message.Message {
	return decode(item.Entry.record)
}

// Return has nothing to tell: what is not committed is delivered again to whoever gets the partition.
func (s *source) Return(context.Context, []*inflight.Item[entry]) error { return nil }

// Keep has nothing to do: the client sends its heartbeats however slow the handlers are.
func (s *source) Keep(context.Context) {}

// Consumer is the id of the member, which begins with the client id.
func (s *source) Consumer() string {
	if member := s.member.Load(); member != nil {
		return *member
	}
	return s.group.backend.config.ClientID
}

// Close leaves the group, so that others have its partitions at once.
func (s *source) Close(ctx context.Context) error {
	s.group.remove(s)
	client := s.client.Load()
	if client == nil {
		return nil
	}
	s.mu.Lock()
	s.leaving = true
	s.mu.Unlock()
	err := s.leave(ctx, client)
	return failure(err, "leave the group %q", s.group.options.Group)
}
