package nats

import (
	"fmt"
	"strings"

	"leat/handlers/fault"
)

// maxName is how long the name of a stream or consumer may be: it is a folder of the server.
const maxName = 255

// checkTopic reports why a topic cannot be the subject of a stream, as an error of kind Invalid.
func checkTopic(topic string) error {
	problem := ""
	switch {
	case strings.ContainsAny(topic, "*>"):
		problem = "wildcards are for reading several subjects, and a topic is one"
	case strings.HasPrefix(topic, "$"), strings.HasPrefix(topic, "_INBOX"):
		problem = "the server keeps such subjects for itself"
	case len(assetName(topic)) > maxName:
		problem = fmt.Sprintf("it is too long, as more than %d bytes are needed to name its stream", maxName)
	case strings.ContainsFunc(topic, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		problem = "it contains white space or control characters"
	}
	for token := range strings.SplitSeq(topic, ".") {
		if token == "" {
			problem = "it is empty, or has nothing before, between or after its dots"
		}
	}
	if problem != "" {
		return fault.Invalidf("topic", "nats: topic %q is no valid subject: %s", topic, problem)
	}
	return nil
}

// assetName is the name of the stream of a topic, or of the durable consumer of a group: the same, but bytes that a name must not
// have, or that the server's disk must not see, are written as =XX. Servers before 2.10 take a %
// in the name of a stream for a verb of a format. Two names of topics never become one.
func assetName(name string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			b.WriteByte(c)
		default:
			b.WriteByte('=')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&0xf])
		}
	}
	return b.String()
}

// durableName is the name of the durable consumer of a group on a stream. Streams that have more than the topic's subject may have
// consumers of the group for several topics.
func durableName(group, topic string, subjects []string) string {
	if len(subjects) == 1 && subjects[0] == topic {
		return assetName(group)
	}
	return assetName(group) + "@" + assetName(topic)
}
