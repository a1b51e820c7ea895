package middleware

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"maps"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/time/rate"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// Metadata keys of a dead letter, beside those that the message came with.
const (
	DLQKind         = "dlq_kind"          // invalid or internal
	DLQCode         = "dlq_code"          // the rule that was broken, where it has a name
	DLQError        = "dlq_error"         // the message of the error
	DLQStage        = "dlq_stage"         // the stage that failed; empty outside of the chain
	DLQHandler      = "dlq_handler"       // the pipeline
	DLQTopic        = "dlq_topic"         // where the message came from
	DLQGroup        = "dlq_group"         // the consumer group
	DLQConsumer     = "dlq_consumer"      // the consumer in it
	DLQSource       = "dlq_source"        // topic and partition that the position counts in
	DLQPosition     = "dlq_position"      // entry id or offset
	DLQDeliveries   = "dlq_deliveries"    // how often the broker handed it out
	DLQAttempts     = "dlq_attempts"      // how often it was tried in the last delivery
	DLQFirstFailure = "dlq_first_failure" // RFC 3339, of the last delivery
	DLQLastFailure  = "dlq_last_failure"  // RFC 3339
	DLQStack        = "dlq_stack"         // of a panic
	DLQPayloadSize  = "dlq_payload_bytes" // of the whole payload, where the copy is cut
	DLQPayloadHash  = "dlq_payload_sha256"
	DLQMetadata     = "dlq_metadata" // the metadata that the message came with, as JSON, where the broker does not take it again
	DLQNotePrefix   = "dlq_note_"    // what the stages noted, such as dlq_note_applied
)

const (
	maxStack    = 16 << 10 // bytes of a stack that a dead letter carries
	maxError    = 4 << 10  // bytes of an error's text
	maxMetadata = 8 << 10  // bytes of metadata as JSON
	leastCopy   = 16 << 10 // bytes of a payload whose letter was refused as too large
)

// Poison publishes messages that cannot succeed (invalid, internal) to the DLQ topic with everything they carried, and
// then counts them as handled. What is unavailable or canceled passes through and stays in the broker; so does a
// message whose dead letter cannot be published. Watermill's PoisonQueue swallows context.Canceled, and changes the message itself.
type Poison struct {
	Publisher  message.Publisher
	Topic      string // of the DLQ
	Handler    string // the pipeline
	From       string // the topic that the messages come from
	MaxPayload int64  // bytes that the copy of a payload may have; 0 is no limit
	MaxMessage int64  // bytes that the broker takes of a whole message; 0 is no limit
	Metrics    *PipelineMetrics
	Logger     *slog.Logger
}

// Middleware returns the middleware. Messages that a subscriber gives up on (delivery.KeyExhausted) are
// dead-lettered without being handled again.
func (p Poison) Middleware(next message.HandlerFunc) message.HandlerFunc {
	log := p.log()
	return func(msg *message.Message) ([]*message.Message, error) {
		err := exhausted(msg)
		if err == nil {
			produced, handled := next(msg)
			if handled == nil {
				return produced, nil
			}
			err = handled
		}
		detail := fault.Of(err)
		if detail.Kind == fault.Unavailable || detail.Kind == fault.Canceled {
			return nil, err
		}
		if failed := p.publish(msg, detail); failed != nil {
			return nil, fault.Unavailablef("publish to %s: %w", p.Topic, failed)
		}
		p.Metrics.deadLetters.WithLabelValues(detail.Kind.String(), detail.Stage).Inc()
		log(msg, detail)
		return nil, nil
	}
}

// log returns what logs dead letters: the first twenty, then one a second at most with the number of those between, so that
// a producer of garbage does not flood the log. The metric and the DLQ have them all.
func (p Poison) log() func(*message.Message, fault.Error) {
	sometimes := rate.Sometimes{First: 20, Interval: time.Second}
	var unlogged atomic.Int64
	return func(msg *message.Message, detail fault.Error) {
		logged := false
		sometimes.Do(func() {
			logged = true
			attrs := []any{"kind", detail.Kind.String(), "code", detail.Code, "stage", detail.Stage, "dlq", p.Topic}
			if msg.UUID != "" {
				attrs = append(attrs, "uuid", cut(msg.UUID, 64))
			}
			if position := msg.Metadata[delivery.KeyPosition]; position != "" {
				attrs = append(attrs, "position", position)
			}
			attrs = append(attrs, "error", cut(detail.Err.Error(), 512))
			if others := unlogged.Swap(0); others > 0 {
				attrs = append(attrs, "others_since", others)
			}
			p.Logger.Warn("message dead-lettered", attrs...)
		})
		if !logged {
			unlogged.Add(1)
		}
	}
}

func exhausted(msg *message.Message) error {
	deliveries := msg.Metadata[delivery.KeyExhausted]
	if deliveries == "" {
		return nil
	}
	return fault.Internalf("exhausted", "delivered %s times without an outcome, the last two times alone", deliveries)
}

// publish publishes the dead letter of a message. Where the broker refuses it for good, it goes without the metadata that it came with,
// which may be reserved or too much beside what leat adds; and then with less of its payload. A letter that is never taken would make its
// message come again for ever. The context of the message bounds it.
func (p Poison) publish(msg *message.Message, detail fault.Error) (err error) {
	bare := bareMetadata(msg.Metadata)
	for _, form := range []struct {
		metadata message.Metadata
		most     int64
	}{{msg.Metadata, math.MaxInt64}, {bare, math.MaxInt64}, {bare, leastCopy}} {
		err = p.Publisher.Publish(p.Topic, p.letter(msg, form.metadata, form.most, detail))
		if err == nil || fault.KindOf(err) != fault.Invalid {
			return err
		}
	}
	return err
}

// bareMetadata has the notes of the stages, and all that came as one text.
func bareMetadata(metadata message.Metadata) message.Metadata {
	bare := message.Metadata{}
	for key, value := range metadata {
		if strings.HasPrefix(key, DLQNotePrefix) {
			bare[key] = value
		}
	}
	text, _ := json.Marshal(metadata) // a map of strings always can be
	bare[DLQMetadata] = cut(string(text), maxMetadata)
	return bare
}

// letter is the message with the metadata and at most so many bytes of its payload, and with why and where it failed. It keeps the
// UUID, and so the identity.
func (p Poison) letter(msg *message.Message, metadata message.Metadata, most int64, detail fault.Error) *message.Message {
	letter := message.NewMessageWithContext(msg.Context(), msg.UUID, msg.Payload)
	maps.Copy(letter.Metadata, metadata)
	now := time.Now()
	if detail.FirstFailure.IsZero() {
		detail.FirstFailure = now
	}
	set := func(key, value string) {
		if value == "" { // or a letter that fails again would tell of the failure before
			delete(letter.Metadata, key)
			return
		}
		letter.Metadata[key] = value
	}
	set(DLQKind, detail.Kind.String())
	set(DLQCode, detail.Code)
	set(DLQError, cut(detail.Err.Error(), maxError))
	set(DLQStage, detail.Stage)
	set(DLQHandler, p.Handler)
	set(DLQTopic, p.From)
	set(DLQGroup, msg.Metadata[delivery.KeyGroup])
	set(DLQConsumer, msg.Metadata[delivery.KeyConsumer])
	set(DLQSource, msg.Metadata[delivery.KeySource])
	set(DLQPosition, msg.Metadata[delivery.KeyPosition])
	set(DLQDeliveries, strconv.Itoa(delivery.Of(msg).Deliveries))
	set(DLQAttempts, strconv.Itoa(max(1, detail.Attempts)))
	set(DLQFirstFailure, detail.FirstFailure.UTC().Format(time.RFC3339Nano))
	set(DLQLastFailure, now.UTC().Format(time.RFC3339Nano))
	set(DLQStack, cut(string(detail.Stack), maxStack))
	for key, note := range detail.Notes {
		set(DLQNotePrefix+key, note)
	}
	if most = min(most, p.room(letter.Metadata)); int64(len(msg.Payload)) > most {
		sum := sha256.Sum256(msg.Payload)
		set(DLQPayloadSize, strconv.Itoa(len(msg.Payload)))
		set(DLQPayloadHash, hex.EncodeToString(sum[:]))
		letter.Payload = msg.Payload[:most]
	}
	return letter
}

// envelope is more than any broker adds to a message, and overhead to one of its metadata keys.
const (
	envelope = 1 << 10
	overhead = 32
)

// room is how many bytes of payload fit into a letter with this metadata.
func (p Poison) room(metadata message.Metadata) int64 {
	most := int64(math.MaxInt64)
	if p.MaxPayload > 0 {
		most = p.MaxPayload
	}
	if p.MaxMessage > 0 {
		left := p.MaxMessage - envelope
		for key, value := range metadata {
			left -= int64(len(key) + len(value) + overhead)
		}
		most = min(most, max(0, left))
	}
	return most
}

// cut returns at most about n bytes of s, as valid UTF-8: some brokers take nothing else.
func cut(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
