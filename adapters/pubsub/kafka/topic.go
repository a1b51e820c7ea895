package kafka

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"leat/handlers/fault"
)

// messageBytes is the max.message.bytes that topics have if nobody says otherwise.
const messageBytes = 1 << 20

// topics makes sure that topics exist, and remembers which do.
type topics struct {
	backend *Backend

	mu    sync.Mutex
	known map[string]struct{}
}

// ensure creates the topic if it does not exist. Errors are as the client gives them.
func (t *topics) ensure(ctx context.Context, topic string) error {
	if t.knows(topic) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.backend.config.Timeout)
	defer cancel()
	_, _, err := t.backend.describe(ctx, topic)
	if missing(err) {
		err = t.create(ctx, topic)
	}
	if err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.known[topic] = struct{}{}
	}
	return err
}

func (t *topics) create(ctx context.Context, topic string) error {
	config := &t.backend.config
	settings := map[string]*string{}
	if config.MaxMessageBytes > messageBytes {
		bytes := strconv.FormatInt(config.MaxMessageBytes, 10)
		settings["max.message.bytes"] = &bytes
	}
	created, err := t.backend.admin.CreateTopic(ctx, int32(config.Topic.Partitions), int16(config.Topic.Replication), settings, topic)
	if err == nil {
		err = created.Err
	}
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	if err == nil {
		t.backend.log.Info("topic created", "broker", "kafka", "topic", topic, "partitions", config.Topic.Partitions)
	}
	return err
}

func (t *topics) knows(topic string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.known[topic]
	return ok
}

// forget makes the next ensure look again.
func (t *topics) forget(topic string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, topic)
}

// checkName refuses what Kafka does not take as the name of a topic. The error is of kind Invalid.
func checkName(topic string) error {
	legal := len(topic) <= 249 && topic != "" && topic != "." && topic != ".." &&
		!strings.ContainsFunc(topic, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
		})
	if !legal {
		return fault.Invalidf("topic", "kafka: %q cannot be the name of a topic: 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-'", topic)
	}
	return nil
}
