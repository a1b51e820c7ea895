package kafka

import (
	"sync"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// group is the cluster as one consumer group sees it: it reads, and tells how far its topics are done.
type group struct {
	backend    *Backend
	options    pubsub.Options
	subscriber *inflight.Subscriber[entry]

	mu      sync.Mutex
	sources map[*source]struct{} // that are a member of the group
}

func (g *group) open(topic string, sub *inflight.Subscription[entry]) (inflight.Source[entry], error) {
	if err := checkName(topic); err != nil {
		return nil, err
	}
	return &source{group: g, topic: topic, sub: sub, partitions: make(map[int32]*partition)}, nil
}

func (g *group) add(s *source) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sources[s] = struct{}{}
}

func (g *group) remove(s *source) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sources, s)
}

// read returns, for each partition of the topic that this process owns and has read of, the offset that comes next.
func (g *group) read(topic string) map[int32]int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := make(map[int32]int64)
	for s := range g.sources {
		if s.topic == topic {
			s.read(next)
		}
	}
	return next
}
