package redisstream

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
)

// notes are a hash of the entries of one stream that run alone: id to how often they have.
type notes struct {
	client redis.UniversalClient
	key    string
}

var _ pubsub.Notes = notes{}

// Runs implements pubsub.Notes.
func (n notes) Runs(ctx context.Context, ids []string) (map[string]int, error) {
	values, err := n.client.HMGet(ctx, n.key, ids...).Result()
	if err != nil {
		return nil, failure(err, "read %q", n.key)
	}
	runs := make(map[string]int)
	for i, value := range values {
		if text, noted := value.(string); noted {
			runs[ids[i]], _ = strconv.Atoi(text)
		}
	}
	return runs, nil
}

// Note implements pubsub.Notes.
func (n notes) Note(ctx context.Context, id string, runs int) error {
	return failure(n.client.HSet(ctx, n.key, id, runs).Err(), "note that %s runs alone in %q", id, n.key)
}

// Forget implements pubsub.Notes.
func (n notes) Forget(ctx context.Context, ids ...string) error {
	return failure(n.client.HDel(ctx, n.key, ids...).Err(), "remove notes from %q", n.key)
}
