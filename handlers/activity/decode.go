package activity

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/tidwall/gjson"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// KeyOrigin is the metadata key under which a redriven message carries the source and position it first had,
// "source@position", so that it keeps its identity.
const KeyOrigin = "leat_origin"

const maxUser = 256 // bytes

// decoder turns messages into events.
type decoder struct {
	maxPayload  int
	maxDuration float64 // seconds
	maxFuture   time.Duration
	zone        *time.Location
	now         func() time.Time
}

// decode reads the JSON object of a message. Its errors are of kind invalid and name the field.
func (d decoder) decode(msg *message.Message) (*task, error) {
	if reason := msg.Metadata[delivery.KeyMalformed]; reason != "" {
		return nil, fault.Invalidf("malformed", "the entry could not be decoded: %s", reason)
	}
	fields, err := d.fields(msg.Payload)
	if err != nil {
		return nil, err
	}
	event := Event{
		User:    strings.TrimSpace(fields.text("userId")),
		Content: Content{App: fields.text("app"), Title: fields.text("title"), URL: fields.text("url")},

		ContentID: fields.id("categorizedDataId"),
		ID:        fields.id("pomodoroUsageLogId"),

		Duration:       fields.number("duration"),
		Timestamp:      fields.time("timestamp"),
		Session:        fields.count("session"),
		SessionDate:    fields.date("sessionDate", d.zone),
		SessionMinutes: fields.count("sessionMinutes"),
		IsEnd:          fields.truth("isEnd"),

		Delivery: delivery.Of(msg),
	}
	if fields.err != nil {
		return nil, fields.err
	}
	event.Explicit, event.Dated = !event.ID.IsZero(), fields.has("timestamp")
	if err := d.complete(&event, fields, msg); err != nil {
		return nil, err
	}
	return &task{Event: event, contentID: event.Content.ID()}, nil
}

// complete fills in what may be absent and refuses what is missing or absurd.
func (d decoder) complete(event *Event, fields fields, msg *message.Message) error {
	now := d.now()
	if !event.Dated {
		event.Timestamp = event.Delivery.PublishedAt
		if event.Timestamp.IsZero() || event.Timestamp.After(now) { // the broker's clock is ahead, or once was
			event.Timestamp = now
		}
	}
	event.Timestamp = event.Timestamp.UTC().Truncate(time.Millisecond)
	if event.SessionDate == "" {
		event.SessionDate = event.Timestamp.In(d.zone).Format(time.DateOnly)
	}
	switch {
	case event.User == "":
		return fault.Invalidf("missing_field", "userId is missing")
	case len(event.User) > maxUser:
		return fault.Invalidf("too_long", "userId has %d bytes; at most %d are allowed", len(event.User), maxUser)
	case event.Content == Content{}:
		return fault.Invalidf("missing_field", "app, title and url are all missing; one is required")
	case !fields.has("duration"):
		return fault.Invalidf("missing_field", "duration is missing")
	case event.Duration < 0 || math.IsNaN(event.Duration) || event.Duration > d.maxDuration:
		return fault.Invalidf("out_of_range", "duration is %v seconds; it must lie between 0 and %v", event.Duration, d.maxDuration)
	case event.Timestamp.After(now.Add(d.maxFuture)):
		return fault.Invalidf("out_of_range", "timestamp %s lies further ahead than %s", event.Timestamp.Format(time.RFC3339), d.maxFuture)
	case event.Timestamp.Before(earliest):
		return fault.Invalidf("out_of_range", "timestamp %s lies before %s", event.Timestamp.Format(time.RFC3339), earliest.Format(time.DateOnly))
	}
	if !event.Explicit {
		id, ok := identity(msg, event.Delivery)
		if !ok {
			return fault.Invalidf("no_identity", "the message has neither a pomodoroUsageLogId, nor a UUID, nor a position in its topic: it could be counted twice")
		}
		event.ID = id
	}
	if event.Delivery.Position == (delivery.Position{}) {
		event.Delivery.Position = delivery.Position{Major: uint64(now.UnixMilli())}
	}
	return nil
}

// earliest refuses timestamps that come from a clock that was never set.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// identity derives the identity of an event that its producer did not name: from the UUID of the message, else from
// where the message first stood. An id from a position begins with its seconds, so that inserts are not random.
func identity(msg *message.Message, info delivery.Info) (ID, bool) {
	if msg.UUID != "" {
		sum := sha256.Sum256([]byte("uuid\x00" + msg.UUID))
		return ID(sum[:12]), true
	}
	source, position := info.Source, info.Position
	origin := msg.Metadata[KeyOrigin]
	if at := strings.LastIndexByte(origin, '@'); at > 0 { // the last one: a topic may have an @ in its name
		if first, err := delivery.ParsePosition(origin[at+1:]); err == nil {
			source, position = origin[:at], first
		}
	}
	if source == "" || position == (delivery.Position{}) {
		return ID{}, false
	}
	var id ID
	sum := sha256.Sum256([]byte("position\x00" + source + "\x00" + position.String()))
	binary.BigEndian.PutUint32(id[:4], uint32(position.Major/1000))
	copy(id[4:], sum[:8])
	return id, true
}

// fields is the JSON object of a payload. Reading a field that is wrong sets err, if it is the first.
type fields struct {
	values [fieldCount]gjson.Result
	err    error
}

func (d decoder) fields(payload []byte) (fields, error) {
	var f fields
	switch {
	case len(payload) > d.maxPayload:
		return f, fault.Invalidf("too_large", "the payload has %d bytes; at most %d are decoded", len(payload), d.maxPayload)
	case !utf8.Valid(payload):
		return f, fault.Invalidf("invalid_utf8", "the payload is not valid UTF-8")
	case tooDeep(payload):
		return f, fault.Invalidf("too_deep", "the payload is nested more than %d deep", maxDepth)
	case !gjson.ValidBytes(payload):
		return f, fault.Invalidf("invalid_json", "the payload is not JSON")
	}
	object := gjson.ParseBytes(payload)
	if object.Type == gjson.String && !tooDeep([]byte(object.Str)) && gjson.Valid(object.Str) { // an object that was written as a JSON string
		object = gjson.Parse(object.Str)
	}
	if !object.IsObject() {
		return f, fault.Invalidf("invalid_json", "the payload is not a JSON object")
	}
	object.ForEach(func(key, value gjson.Result) bool {
		if n, ok := fieldIndex[key.Str]; ok {
			f.values[n] = value
		}
		return true
	})
	return f, nil
}

const maxDepth = 1000

// tooDeep reports whether JSON is nested deeper than any event. Checking it takes stack for each level, and a stack
// that overflows ends the process.
func tooDeep(payload []byte) bool {
	if bytes.Count(payload, []byte{'['})+bytes.Count(payload, []byte{'{'}) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for at := 0; at < len(payload); at++ {
		switch c := payload[at]; {
		case quoted && c == '\\':
			at++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}
