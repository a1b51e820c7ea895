package gochannel

import (
	"maps"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// entry is a message in a topic. All but the links is immutable.
type entry struct {
	uuid     string
	payload  []byte
	metadata message.Metadata
	size     int // bytes of the above
	at       time.Time

	sequence       uint64 // grows in the topic; from 1
	previous, next *entry
	missing        int // groups that have not acked it
}

func newEntry(msg *message.Message, at time.Time) *entry {
	e := &entry{uuid: msg.UUID, payload: append([]byte(nil), msg.Payload...), at: at}
	e.size = len(e.uuid) + len(e.payload)
	if len(msg.Metadata) > 0 {
		e.metadata = maps.Clone(msg.Metadata)
	}
	for key, value := range e.metadata {
		e.size += len(key) + len(value)
	}
	return e
}

// metadataRoom is for the keys that the subscription adds.
const metadataRoom = 8

func (e *entry) message() *message.Message {
	msg := message.NewMessage(e.uuid, append([]byte(nil), e.payload...))
	msg.Metadata = make(message.Metadata, len(e.metadata)+metadataRoom)
	maps.Copy(msg.Metadata, e.metadata)
	return msg
}
