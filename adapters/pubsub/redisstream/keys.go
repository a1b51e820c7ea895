package redisstream

import (
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"

	"leat/handlers/fault"
)

// hashTag returns what must stand between braces in a key so that it lies on the slot of the stream in
// cluster mode: the stream's own tag if it has one, else its whole name.
func hashTag(stream string) string {
	if _, after, ok := strings.Cut(stream, "{"); ok {
		if tag, _, ok := strings.Cut(after, "}"); ok && tag != "" {
			return tag
		}
	}
	return stream
}

// taggable reports whether keys can be made that share the stream's slot.
func taggable(stream string) bool {
	tag := hashTag(stream)
	return tag != stream || !strings.Contains(stream, "}")
}

// checkTopic refuses streams for which no keys can be made that lie beside them.
func checkTopic(client redis.UniversalClient, topic string) error {
	if _, cluster := client.(*redis.ClusterClient); cluster && !taggable(topic) {
		return fault.Invalidf("topic", "redisstream: %q cannot be a topic: it has a brace that is no hash tag", topic)
	}
	return nil
}

// leaseKey is held by the live process that uses a consumer name.
func leaseKey(stream, group, consumer string) string {
	return "leat:{" + hashTag(stream) + "}:lease:" + url.QueryEscape(stream) + ":" +
		url.QueryEscape(group) + ":" + url.QueryEscape(consumer)
}

// suspectsKey is a hash of the entries that run alone: entry id to how often they have.
func suspectsKey(stream, group string) string {
	return "leat:{" + hashTag(stream) + "}:suspects:" + url.QueryEscape(stream) + ":" + url.QueryEscape(group)
}
