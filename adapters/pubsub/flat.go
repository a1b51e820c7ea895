package pubsub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/fault"
)

// Flat is the FlatPublisher of a backend that knows no fields: each entry becomes the payload of a message.
type Flat struct{ message.Publisher }

// PublishFields implements FlatPublisher. Entries that are empty or not valid UTF-8 are of kind Invalid, and nothing is published.
func (f Flat) PublishFields(ctx context.Context, topic string, entries ...[]Field) error {
	messages := make([]*message.Message, len(entries))
	for n, fields := range entries {
		payload, err := object(fields)
		if err != nil {
			return fault.Invalidf("fields", "entry %d: %w", n, err)
		}
		messages[n] = message.NewMessageWithContext(ctx, watermill.NewUUID(), payload)
	}
	return f.Publish(topic, messages...)
}

// object returns the fields as a JSON object of strings, in their order.
func object(fields []Field) ([]byte, error) {
	if len(fields) == 0 {
		return nil, fmt.Errorf("it has no fields")
	}
	b := []byte{'{'}
	for n, field := range fields {
		if !utf8.ValidString(field.Name) || !utf8.ValidString(field.Value) {
			return nil, fmt.Errorf("field %q is not valid UTF-8", field.Name)
		}
		if slices.ContainsFunc(fields[:n], func(before Field) bool { return before.Name == field.Name }) {
			return nil, fmt.Errorf("field %q is repeated", field.Name)
		}
		if n > 0 {
			b = append(b, ',')
		}
		for _, text := range []string{field.Name, field.Value} {
			quoted, err := json.Marshal(text)
			if err != nil {
				return nil, err
			}
			b = append(append(b, quoted...), ':')
		}
		b = b[:len(b)-1]
	}
	return append(b, '}'), nil
}
