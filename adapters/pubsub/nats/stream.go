package nats

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leat/handlers/fault"
)

// streamName returns the name of the stream that takes the topic: jetstream.ErrStreamNotFound if there is none. It may be out of
// date; forget it when it proves wrong.
func (b *Backend) streamName(ctx context.Context, topic string) (string, error) {
	b.mu.Lock()
	name := b.streams[topic]
	b.mu.Unlock()
	if name != "" {
		return name, nil
	}
	name, err := b.js.StreamNameBySubject(ctx, topic)
	if err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams[topic] = name
	return name, nil
}

// forget makes the next streamName ask the server.
func (b *Backend) forget(topic string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.streams, topic)
}

// stream returns the stream that takes the topic, whoever made it. If there is none, it creates one.
func (b *Backend) stream(ctx context.Context, topic string) (stream jetstream.Stream, created bool, err error) {
	for range 3 {
		name, err := b.streamName(ctx, topic)
		if err == nil {
			if stream, err = b.js.Stream(ctx, name); err == nil {
				return stream, false, nil
			}
			b.forget(topic)
		}
		if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, false, err
		}
		stream, err = b.js.CreateStream(ctx, b.streamConfig(topic))
		if err == nil {
			return stream, true, nil
		}
		if !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil, false, err
		}
		// Another process was quicker, with another beginning; or a stream of this name has other subjects.
		if stream, err = b.js.Stream(ctx, assetName(topic)); err == nil && !takes(stream.CachedInfo().Config.Subjects, topic) {
			return nil, false, fault.Invalidf("stream", "nats: stream %q does not take subject %q, and has the name that its stream would have: add the subject, or rename the stream", assetName(topic), topic)
		}
	}
	return nil, false, fault.Unavailablef("the stream of %q appears and vanishes", topic)
}

// takes reports whether one of the subjects, which may have wildcards, is that of the topic.
func takes(subjects []string, topic string) bool {
	tokens := strings.Split(topic, ".")
	return slices.ContainsFunc(subjects, func(subject string) bool {
		pattern := strings.Split(subject, ".")
		for i, token := range pattern {
			switch {
			case token == ">":
				return i < len(tokens)
			case i >= len(tokens), token != "*" && token != tokens[i]:
				return false
			}
		}
		return len(pattern) == len(tokens)
	})
}

// streamConfig is how the stream of a topic is created. Its sequences begin with the time, in microseconds: if the stream is deleted
// and created again, no position comes twice, unless more than a million messages a second were published all the time.
func (b *Backend) streamConfig(topic string) jetstream.StreamConfig {
	config := jetstream.StreamConfig{
		Name: assetName(topic), Subjects: []string{topic}, Storage: jetstream.FileStorage,
		Replicas: b.config.Stream.Replicas, MaxAge: b.config.Stream.MaxAge, Duplicates: b.config.Stream.Duplicates,
	}
	if b.config.Stream.Storage == Memory {
		config.Storage = jetstream.MemoryStorage
	}
	if b.serverAtLeast(2, 10) {
		config.FirstSeq = uint64(time.Now().UnixMicro())
	}
	return config
}

// serverAtLeast reports whether the connected server is of that version or a newer one.
func (b *Backend) serverAtLeast(major, minor int) bool {
	parts := strings.SplitN(strings.TrimPrefix(b.conn.ConnectedServerVersion(), "v"), ".", 3)
	if len(parts) < 2 {
		return false
	}
	gotMajor, _ := strconv.Atoi(parts[0])
	gotMinor, _ := strconv.Atoi(parts[1])
	return gotMajor > major || gotMajor == major && gotMinor >= minor
}
