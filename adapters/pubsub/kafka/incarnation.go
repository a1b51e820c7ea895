package kafka

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// incarnation tells a topic from those of the same name that were deleted before it: offsets begin anew with each, and what is known of
// the offsets of one says nothing about another. It is the topic's id; empty where the broker gives none, before 2.8.
type incarnation string

func incarnationOf(id [16]byte) incarnation {
	if id == ([16]byte{}) {
		return ""
	}
	return incarnation(base64.RawURLEncoding.EncodeToString(id[:]))
}

// describe asks the brokers, as the client's own knowledge of topics may be out of date. A topic that does not exist is an error that
// missing knows.
func (b *Backend) describe(ctx context.Context, topic string) (life incarnation, partitions []int32, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.config.Timeout)
	defer cancel()
	request := kmsg.NewPtrMetadataRequest()
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &topic
	request.Topics = append(request.Topics, asked)
	answer, err := request.RequestWith(ctx, b.client)
	if err != nil {
		return "", nil, err
	}
	for _, found := range answer.Topics {
		if err := kerr.ErrorForCode(found.ErrorCode); err != nil {
			return "", nil, err
		}
		for _, partition := range found.Partitions {
			partitions = append(partitions, partition.Partition)
		}
		life = incarnationOf(found.TopicID)
	}
	return life, partitions, nil
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
