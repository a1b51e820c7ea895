package redisstream

import (
	"sync"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
)

// subscriber reads Redis streams as one consumer group. It is safe for concurrent use.
//
// A stream or group that does not exist is created by Subscribe, and the group reads from the first entry. Subscriptions to one
// stream share its entries, each under its own consumer name.
//
// Reading stops within Config.Block, or half a second later if the server hangs. What Close hands back does not count as a
// delivery. What has no outcome then stays pending under the consumer's name, and is delivered again when the name comes
// back or claim.min_idle has passed. Close takes no longer than twice CloseTimeout and 2 s, if the client has ContextTimeoutEnabled.
type subscriber struct {
	*inflight.Subscriber[kept]
	options *options
	names   names

	mu      sync.Mutex
	sources map[*source]struct{} // that are not closed
}

var (
	_ pubsub.FloorReader = (*subscriber)(nil)
	_ pubsub.LagReader   = (*subscriber)(nil)
)

// newSubscriber checks the options. It does not speak to Redis. Errors are of kind Invalid.
func newSubscriber(options options) (*subscriber, error) {
	if err := options.prepare(); err != nil {
		return nil, err
	}
	s := &subscriber{
		options: &options, names: names{held: make(map[string]struct{})}, sources: make(map[*source]struct{}),
	}
	var err error
	s.Subscriber, err = inflight.NewSubscriber(options.shared(), s.open)
	return s, err
}

// open makes the source of a topic.
func (s *subscriber) open(topic string, subscription *inflight.Subscription[kept]) (inflight.Source[kept], error) {
	if err := checkTopic(s.options.Client, topic); err != nil {
		return nil, err
	}
	source := newSource(s, topic, subscription)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources[source] = struct{}{}
	return source, nil
}

// closed forgets a source.
func (s *subscriber) closed(source *source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sources, source)
}

// of returns the sources of a topic.
func (s *subscriber) of(topic string) (sources []*source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for source := range s.sources {
		if source.topic == topic {
			sources = append(sources, source)
		}
	}
	return sources
}
