package kafka

import (
	"bytes"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"leat/handlers/fault"
)

// uuidHeader is the header that the stock adapter keeps the UUID in.
const uuidHeader = "_watermill_message_uuid"

// recordBytes is more than Kafka adds to a record, of its batch too; headerBytes to a header.
const (
	recordBytes = 128
	headerBytes = 10
)

// encode makes the record of a message as the stock adapter does, without a key. A message that uses the reserved
// metadata key is of kind Invalid.
func encode(topic string, msg *message.Message) (*kgo.Record, error) {
	if msg.Metadata[uuidHeader] != "" {
		return nil, fault.Invalidf("reserved_metadata", "kafka: message %q has metadata under %s, which is reserved", msg.UUID, uuidHeader)
	}
	headers := make([]kgo.RecordHeader, 1, 1+len(msg.Metadata))
	headers[0] = kgo.RecordHeader{Key: uuidHeader, Value: []byte(msg.UUID)}
	for key, value := range msg.Metadata {
		headers = append(headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	return &kgo.Record{Topic: topic, Value: msg.Payload, Headers: headers}, nil
}

// decode makes the message of a record. Every record can be decoded: without the UUID's header the UUID is empty, of
// repeated headers the last counts, a null value is an empty payload, and bytes that are not valid UTF-8 stay as they are.
func decode(record *kgo.Record) *message.Message {
	uuid, metadata := "", make(message.Metadata, len(record.Headers)+6) // room for what package delivery adds
	for _, header := range record.Headers {
		if header.Key == uuidHeader {
			uuid = string(header.Value)
		} else {
			metadata[header.Key] = string(header.Value)
		}
	}
	msg := message.NewMessage(uuid, record.Value)
	msg.Metadata = metadata
	return msg
}

// detached copies what is needed of a record. The client's records share the memory of the batch they came in, so that a single one that is
// held would keep all of it.
func detached(record *kgo.Record) *kgo.Record {
	headers := make([]kgo.RecordHeader, len(record.Headers))
	for n, header := range record.Headers {
		headers[n] = kgo.RecordHeader{Key: header.Key, Value: bytes.Clone(header.Value)}
	}
	return &kgo.Record{Offset: record.Offset, Value: bytes.Clone(record.Value), Headers: headers}
}

// size is about how many bytes a record takes, on the wire uncompressed and in memory.
func size(record *kgo.Record) int {
	n := recordBytes + len(record.Key) + len(record.Value)
	for _, header := range record.Headers {
		n += headerBytes + len(header.Key) + len(header.Value)
	}
	return n
}

// publishedAt is the time of a record in epoch milliseconds; empty if it has none.
func publishedAt(record *kgo.Record) string {
	if ms := record.Timestamp.UnixMilli(); ms > 0 {
		return strconv.FormatInt(ms, 10)
	}
	return ""
}
