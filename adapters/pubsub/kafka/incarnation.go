package kafka

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

// incarnation tells a topic from those of the same name that were deleted before it: offsets begin anew with each, and what is known of
// the offsets of one says nothing about another. It is the topic's id; empty where the broker gives none, before 2.8.
type incarnation string

func incarnationOf(id kadm.TopicID) incarnation {
	if id == (kadm.TopicID{}) {
		return ""
	}
	return incarnation(base64.RawURLEncoding.EncodeToString(id[:]))
}

// incarnation asks which one the topic is now. It is empty if there is no such topic.
func (b *Backend) incarnation(ctx context.Context, topic string) (incarnation, error) {
	ctx, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	details, err := b.admin.ListTopics(ctx, topic)
	if err == nil {
		err = details[topic].Err
	}
	if err != nil && !missing(err) {
		return "", err
	}
	return incarnationOf(details[topic].ID), nil
}

// sourceName is what the positions of a partition count in.
func (g *group) sourceName(topic string, life incarnation, number int32) string {
	name := topic
	if life != "" {
		name += "#" + string(life)
	}
	name += "/" + strconv.Itoa(int(number))
	if g.options.Namespace != "" {
		return g.options.Namespace + ":" + name
	}
	return name
}

// lifeMark begins the metadata of a commit that names the incarnation of its topic: brokers take commits by the name of a topic, so that one may
// come into a topic that it was not meant for.
const lifeMark = "leat#"

// sign makes the metadata of a commit of what is done beyond it.
func (i incarnation) sign(spans string) string {
	if i == "" {
		return spans
	}
	return lifeMark + string(i) + "/" + spans
}

// signed reads what sign wrote. Metadata of others names no incarnation.
func signed(metadata string) (life incarnation, spans string) {
	if text, ours := strings.CutPrefix(metadata, lifeMark); ours {
		if name, spans, ok := strings.Cut(text, "/"); ok {
			return incarnation(name), spans
		}
	}
	return "", metadata
}

// strays reports whether a commit was meant for another incarnation.
func (i incarnation) strays(metadata string) bool {
	life, _ := signed(metadata)
	return i != "" && life != "" && life != i
}
