package redis

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/handlers/fault"
)

// notesTTL is how long the notes of a topic and group are kept after the last one was written.
const notesTTL = 30 * 24 * time.Hour

// Notes remembers, across the end of processes, which messages of one topic and group run alone, and how often each has: for
// brokers that have no place of their own for it. It is safe for concurrent use by any number of processes. Errors are
// of kind Unavailable, or Internal if the key holds what leat did not write.
//
//	leat:suspects:<topic>:<group> HASH  field message id, value how often it has run alone
//
// Topic and group are escaped as in a URL's query. A message that its broker forgets leaves its note behind, until nothing
// was noted for 30 days.
type Notes struct {
	client redis.UniversalClient
	key    string
}

// NewNotes returns the notes of a topic and group. The client stays the caller's to close.
func NewNotes(client redis.UniversalClient, topic, group string) *Notes {
	return &Notes{client: client, key: "leat:suspects:" + url.QueryEscape(topic) + ":" + url.QueryEscape(group)}
}

// Runs returns how often each of the messages has run alone without an outcome; those never noted are absent.
func (n *Notes) Runs(ctx context.Context, ids []string) (map[string]int, error) {
	runs := map[string]int{}
	if len(ids) == 0 {
		return runs, nil
	}
	values, err := n.client.HMGet(ctx, n.key, ids...).Result()
	if err != nil {
		return nil, classify(err, "read the notes "+n.key)
	}
	for at, value := range values {
		text, noted := value.(string)
		if !noted {
			continue
		}
		if runs[ids[at]], err = strconv.Atoi(text); err != nil {
			return nil, fault.Internalf("", "redis: the field %q of %s is %q, which leat did not write; remove it", ids[at], n.key, text)
		}
	}
	return runs, nil
}

// Note notes that the message runs alone now, for so many times with this one. It may be repeated.
func (n *Notes) Note(ctx context.Context, id string, runs int) error {
	_, err := n.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, n.key, id, runs)
		pipe.PExpire(ctx, n.key, notesTTL)
		return nil
	})
	return classify(err, "write the notes "+n.key)
}

// Forget removes the notes of messages that have an outcome. It may be repeated.
func (n *Notes) Forget(ctx context.Context, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	return classify(n.client.HDel(ctx, n.key, ids...).Err(), "forget notes of "+n.key)
}
