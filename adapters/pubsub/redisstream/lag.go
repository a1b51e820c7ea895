package redisstream

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
)

const (
	// countPage is how many entries Lag counts at a time, and countPages how often, where Redis cannot tell.
	countPage  = 1000
	countPages = 10
)

// Lag returns how many entries wait for the group, and how many it has not acked. Where Redis does not know
// how many wait (before 7.0, or after entries were deleted) they are counted, up to 10,000; beyond, Waiting is -1.
// A stream that does not exist has no lag; where the group does not exist, all entries wait.
func (s *subscriber) Lag(ctx context.Context, topic string) (pubsub.Lag, error) {
	groups, err := s.options.Client.Do(ctx, "xinfo", "groups", topic).Slice()
	if hasCode(err, "ERR no such key") {
		return pubsub.Lag{}, nil
	}
	if err != nil {
		return pubsub.Lag{}, failure(err, "read the lag of %q", topic)
	}
	for _, each := range groups {
		group := infoMap(each)
		if group["name"] != s.options.Group {
			continue
		}
		lag := pubsub.Lag{}
		lag.Pending, _ = group["pending"].(int64)
		// A server that has not counted what the group read may report anything.
		if waiting, ok := group["lag"].(int64); ok && group["entries-read"] != nil {
			lag.Waiting = waiting
			return lag, nil
		}
		last, _ := group["last-delivered-id"].(string)
		lag.Waiting, err = s.count(ctx, topic, last)
		return lag, failure(err, "count the lag of %q", topic)
	}
	n, err := s.options.Client.XLen(ctx, topic).Result()
	return pubsub.Lag{Waiting: n}, failure(err, "read the length of %q", topic)
}

// count counts the entries after last.
func (s *subscriber) count(ctx context.Context, topic, last string) (int64, error) {
	var n int64
	for range countPages {
		start, err := after(last)
		if err != nil {
			return -1, err
		}
		page, err := s.options.Client.XRangeN(ctx, topic, start, "+", countPage).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return -1, err
		}
		n += int64(len(page))
		if len(page) < countPage {
			return n, nil
		}
		last = page[len(page)-1].ID
	}
	return -1, nil
}

// infoMap reads a map that came as one, or as names and values in turn.
func infoMap(decoded any) map[string]any {
	info := make(map[string]any)
	switch decoded := decoded.(type) {
	case map[any]any:
		for name, value := range decoded {
			if name, ok := name.(string); ok {
				info[name] = value
			}
		}
	case []any:
		for i := 0; i+1 < len(decoded); i += 2 {
			if name, ok := decoded[i].(string); ok {
				info[name] = decoded[i+1]
			}
		}
	}
	return info
}
