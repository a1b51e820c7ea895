package amqp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	rabbit "github.com/rabbitmq/amqp091-go"

	"leat/handlers/fault"
)

const (
	// uuidHeader is where the stock Watermill adapter keeps the UUID.
	uuidHeader = "_watermill_message_uuid"
	// escape is put before the metadata keys in addresses, and before those that begin with it.
	escape = "leat_header_"
	// countHeader is how often a quorum queue has handed the message out before.
	countHeader = "x-delivery-count"
	// acquiredHeader counts the same and more, since RabbitMQ 4.
	acquiredHeader = "x-acquired-count"
	// stampHeader is when the server took the message, in epoch milliseconds, where its timestamp interceptor is on.
	stampHeader = "timestamp_in_ms"
)

// addresses are headers that RabbitMQ takes for further routing keys: a text there ends the channel, and a list
// would send copies elsewhere.
var addresses = map[string]bool{"CC": true, "BCC": true}

// encode returns the message as the stock Watermill adapter would write it, with message_id and timestamp beside. room is how many bytes
// its headers may take. Errors are of kind Invalid.
func encode(msg *message.Message, now time.Time, room int) (rabbit.Publishing, error) {
	if _, reserved := msg.Metadata[uuidHeader]; reserved {
		return rabbit.Publishing{}, fault.Invalidf("reserved_metadata", "amqp: message %q has metadata under %s, which is reserved", msg.UUID, uuidHeader)
	}
	if len(msg.Payload) > mostMessage {
		return rabbit.Publishing{}, fault.Invalidf("message_size", "amqp: message %q has %d bytes, and %d are the most that every RabbitMQ takes", msg.UUID, len(msg.Payload), mostMessage)
	}
	headers := make(rabbit.Table, len(msg.Metadata)+1)
	headers[uuidHeader] = msg.UUID
	size := len(uuidHeader) + len(msg.UUID) + 2*fieldOverhead
	for key, value := range msg.Metadata {
		if addresses[key] || strings.HasPrefix(key, escape) {
			key = escape + key
		}
		if len(key) > 255 {
			return rabbit.Publishing{}, fault.Invalidf("metadata", "amqp: message %q has a metadata key of %d bytes, and 255 are the most", msg.UUID, len(key))
		}
		headers[key] = value
		size += len(key) + len(value) + fieldOverhead
	}
	if room > 0 && size > room {
		return rabbit.Publishing{}, fault.Invalidf("metadata", "amqp: message %q has %d bytes of metadata, and the server takes %d (its frame_max)", msg.UUID, size, room)
	}
	publishing := rabbit.Publishing{Headers: headers, Body: msg.Payload, DeliveryMode: rabbit.Persistent, Timestamp: now}
	if len(msg.UUID) <= 255 {
		publishing.MessageId = msg.UUID
	}
	return publishing, nil
}

// fieldOverhead is what a header takes beside key and text: their lengths and the type.
const fieldOverhead = 6

// headerRoom is how many bytes of headers fit into the one frame that they must fit into, with the other properties; 0 is without limit.
func headerRoom(frameMax int) int {
	if frameMax == 0 {
		return 0
	}
	return max(1, frameMax-1024)
}

// entry is a delivery that is held.
type entry struct {
	link     *link // by which it came: its tag means nothing elsewhere
	tag      uint64
	delivery rabbit.Delivery
}

// decode makes a message of a delivery. It never fails: headers that are not text are turned to text.
func decode(d *rabbit.Delivery) *message.Message {
	msg := message.NewMessage(uuidOf(d), d.Body)
	msg.Metadata = make(message.Metadata, len(d.Headers)+8) // room for what the subscription adds
	for key, value := range d.Headers {
		switch key {
		case uuidHeader, countHeader, acquiredHeader:
			continue
		}
		if own, escaped := strings.CutPrefix(key, escape); escaped && own != uuidHeader { // that one could not be published again
			key = own
		}
		msg.Metadata[key] = text(value)
	}
	return msg
}

// sizeOf returns about how many bytes a delivery keeps in memory.
func sizeOf(d *rabbit.Delivery) int {
	size := len(d.Body)
	for key, value := range d.Headers {
		size += len(key)
		if value, ok := value.(string); ok {
			size += len(value)
		}
	}
	return size
}

// uuidOf returns the Watermill UUID, else the message_id, else nothing.
func uuidOf(d *rabbit.Delivery) string {
	if value, ok := d.Headers[uuidHeader]; ok {
		return text(value)
	}
	return d.MessageId
}

// deliveries returns how often the message was handed out, this time included: quorum queues count, classic ones know only that
// it was before.
func deliveries(d *rabbit.Delivery) int {
	switch before := d.Headers[countHeader].(type) {
	case int64:
		return int(min(max(before, 0), 1<<30)) + 1
	case int32:
		return int(max(before, 0)) + 1
	}
	if d.Redelivered {
		return 2
	}
	return 1
}

// publishedAt returns when the server took the message, else when its producer says that it was made; empty if nobody does.
func publishedAt(d *rabbit.Delivery) string {
	if ms, ok := d.Headers[stampHeader].(int64); ok && ms > 0 {
		return strconv.FormatInt(ms, 10)
	}
	const year5000 = 95617584000
	if seconds := d.Timestamp.Unix(); !d.Timestamp.IsZero() && seconds > 0 && seconds < year5000 {
		return strconv.FormatInt(seconds*1000, 10)
	}
	return ""
}

// text turns the value of a header into text: tables and lists become JSON, bytes that are no text base64.
func text(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case nil:
		return ""
	case rabbit.Table, []any:
		b, err := json.Marshal(plain(value))
		if err != nil {
			return fmt.Sprint(value)
		}
		return string(b)
	default:
		return fmt.Sprint(plain(value))
	}
}

// plain turns the value of a header into one that JSON can show.
func plain(value any) any {
	switch value := value.(type) {
	case rabbit.Table:
		object := make(map[string]any, len(value))
		for key, each := range value {
			object[key] = plain(each)
		}
		return object
	case []any:
		list := make([]any, len(value))
		for n, each := range value {
			list[n] = plain(each)
		}
		return list
	case []byte:
		if utf8.Valid(value) {
			return string(value)
		}
		return base64.StdEncoding.EncodeToString(value)
	case time.Time:
		return value.UTC().Format(time.RFC3339)
	case rabbit.Decimal:
		return decimal(value)
	case float32:
		return number(float64(value), 32)
	case float64:
		return number(value, 64)
	}
	return value
}

// number is a float as text: JSON has no infinity.
func number(f float64, bits int) json.Number {
	return json.Number(strconv.FormatFloat(f, 'g', -1, bits))
}

// decimal is a number as AMQP has it: an integer, and how many of its digits follow the point.
func decimal(d rabbit.Decimal) string {
	digits, sign := strconv.FormatInt(int64(d.Value), 10), ""
	if d.Value < 0 {
		digits, sign = digits[1:], "-"
	}
	for len(digits) <= int(d.Scale) {
		digits = "0" + digits
	}
	if d.Scale == 0 {
		return sign + digits
	}
	point := len(digits) - int(d.Scale)
	return sign + digits[:point] + "." + digits[point:]
}
