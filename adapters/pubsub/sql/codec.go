package sql

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// rawMetadata is the metadata key that has what stands in the metadata column where that cannot be decoded.
const rawMetadata = "metadata"

// metadataRoom is how many keys the subscription adds to a message.
const metadataRoom = 8

// entry is a message that was read.
type entry struct {
	position delivery.Position
	uuid     string
	payload  []byte
	metadata map[string]string // of the producer
}

// decodeMetadata reads the metadata column: an object of strings, or nothing. Otherwise it returns the text itself under
// rawMetadata, and why.
func decodeMetadata(text []byte) (metadata map[string]string, malformed string) {
	if len(text) == 0 || string(text) == "{}" {
		return nil, ""
	}
	if err := json.Unmarshal(text, &metadata); err != nil {
		return map[string]string{rawMetadata: string(text)}, "the metadata is not an object of strings: " + err.Error()
	}
	return metadata, ""
}

// message makes a message of its own of an entry.
func (e *entry) message() *message.Message {
	msg := message.NewMessage(e.uuid, e.payload)
	msg.Metadata = make(message.Metadata, len(e.metadata)+metadataRoom)
	for key, value := range e.metadata {
		msg.Metadata[key] = value
	}
	return msg
}

// size is how many bytes an entry keeps in memory.
func (e *entry) size() int {
	size := len(e.uuid) + len(e.payload)
	for key, value := range e.metadata {
		size += len(key) + len(value)
	}
	return size
}

// encode returns the metadata of a message as an object of strings, or why PostgreSQL cannot hold the message.
func encode(msg *message.Message) ([]byte, error) {
	if !isText(msg.UUID) {
		return nil, fault.Invalidf("uuid", "sql: UUID %q is not text that PostgreSQL can hold: it has a NUL or is not valid UTF-8", msg.UUID)
	}
	metadata := []byte("{}")
	if len(msg.Metadata) > 0 {
		for key, value := range msg.Metadata {
			if !utf8.ValidString(key) || !utf8.ValidString(value) {
				return nil, fault.Invalidf("metadata", "sql: metadata %q of message %q is not valid UTF-8, which JSON cannot hold", key, msg.UUID)
			}
		}
		var err error
		if metadata, err = json.Marshal(msg.Metadata); err != nil {
			return nil, fault.Invalidf("metadata", "sql: metadata of message %q: %w", msg.UUID, err)
		}
	}
	if size := len(msg.Payload) + len(metadata); size > maxMessage {
		return nil, fault.Invalidf("size", "sql: message %q has %d bytes, more than %d", msg.UUID, size, maxMessage)
	}
	return metadata, nil
}

// payloadCast is how a payload of bytes becomes a value of the payload column. Only bytea holds what is not valid UTF-8.
func (t *topic) payloadCast(bytes string) string {
	if t.payload == "bytea" {
		return bytes
	}
	return fmt.Sprintf("convert_from(%s, 'UTF8')::%s", bytes, t.payload)
}

// payloadSize is about how many bytes the payload has; it is not unpacked for that.
func (t *topic) payloadSize(column string) string {
	if t.payload == "bytea" {
		return "coalesce(octet_length(" + column + "), 0)"
	}
	return "coalesce(pg_column_size(" + column + "), 0)"
}
