// Package delivery is what a subscriber tells about a message beside its payload: where it stood in the
// broker, how often it was handed out, and whether it could be decoded. Every subscriber writes it into
// the metadata of the message; handlers and middleware read it, and no one else depends on a broker.
package delivery

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Metadata keys that a subscriber sets. A producer's own values under these keys are overwritten, or removed where the
// subscriber has nothing to say: a dead letter that is published again comes with those of its last delivery.
const (
	// KeySource names the topic and, where there is one, the partition that a position counts in.
	KeySource = "leat_source"
	// KeyPosition is the place within the source: "N" or "N-M" in decimal, growing.
	KeyPosition = "leat_position"
	// KeyDeliveries counts how often the broker handed the message out, this time included. Absent means 1.
	KeyDeliveries = "leat_deliveries"
	// KeyPublishedAt is when the broker took the message, in epoch milliseconds.
	KeyPublishedAt = "leat_published_at"
	// KeyMalformed says why the entry could not be decoded; the payload is then its raw fields as JSON.
	KeyMalformed = "leat_malformed"
	// KeyExhausted is set on a message that was handed out too often and, alone, ended without an outcome
	// twice more. It must not be handled again; its value says how often it was delivered.
	KeyExhausted = "leat_exhausted"
	// KeyConsumer is the consumer's name within its group.
	KeyConsumer = "leat_consumer"
	// KeyGroup is the consumer group.
	KeyGroup = "leat_group"
)

// Position is a place within a source. Positions of one source grow; those of two sources do not compare.
// Redis: entry id (milliseconds, sequence); Kafka, JetStream and SQL: offset, 0. The zero position stands for none, so
// a backend that counts from 0 adds 1.
type Position struct{ Major, Minor uint64 }

// ParsePosition reads "N" or "N-M", decimal.
func ParsePosition(s string) (Position, error) {
	major, minor, two := strings.Cut(s, "-")
	var position Position
	var err error
	if position.Major, err = strconv.ParseUint(major, 10, 64); err != nil {
		return Position{}, fmt.Errorf("position %q is not N or N-M", s)
	}
	if two {
		if position.Minor, err = strconv.ParseUint(minor, 10, 64); err != nil {
			return Position{}, fmt.Errorf("position %q is not N or N-M", s)
		}
	}
	return position, nil
}

// String is the form that ParsePosition reads.
func (p Position) String() string {
	return strconv.FormatUint(p.Major, 10) + "-" + strconv.FormatUint(p.Minor, 10)
}

// Key is a form of fixed width (41 characters: 20 decimal digits, a dash, 20 decimal digits) whose order as text is the
// order of positions. Records and ack floors are kept in it. Digits sort alike in every locale, which matters because Redis
// compares text as its locale says. The zero position is the empty key, which sorts first.
func (p Position) Key() string {
	if p == (Position{}) {
		return ""
	}
	var key [keyLength]byte
	putDecimal(key[:20], p.Major)
	key[20] = '-'
	putDecimal(key[21:], p.Minor)
	return string(key[:])
}

const keyLength = 41

func putDecimal(digits []byte, n uint64) {
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
}

// ParseKey reads what Key wrote, and nothing else: another form of the same position would sort elsewhere.
func ParseKey(s string) (Position, error) {
	if s == "" {
		return Position{}, nil
	}
	var position Position
	if len(s) == keyLength {
		position.Major, _ = strconv.ParseUint(s[:20], 10, 64)
		position.Minor, _ = strconv.ParseUint(s[21:], 10, 64)
	}
	if position.Key() != s {
		return Position{}, fmt.Errorf("position key %q is not 20 digits, a dash and 20 digits, above zero", s)
	}
	return position, nil
}

// Less reports whether p comes before q.
func (p Position) Less(q Position) bool {
	return p.Major < q.Major || p.Major == q.Major && p.Minor < q.Minor
}

// Next is the smallest position after p; the largest position has none and is returned itself.
func (p Position) Next() Position {
	if p.Minor == math.MaxUint64 {
		if p.Major == math.MaxUint64 {
			return p
		}
		return Position{Major: p.Major + 1}
	}
	return Position{Major: p.Major, Minor: p.Minor + 1}
}

// Info is what the metadata of a message says about its delivery.
type Info struct {
	Source      string
	Position    Position
	Deliveries  int       // at least 1
	PublishedAt time.Time // zero where the backend does not tell
}

// Of reads the delivery of a message. Values that are absent or do not parse are left at their zero.
func Of(msg *message.Message) Info {
	info := Info{Source: msg.Metadata[KeySource], Deliveries: 1}
	if s := msg.Metadata[KeyPosition]; s != "" {
		info.Position, _ = ParsePosition(s)
	}
	if n, err := strconv.Atoi(msg.Metadata[KeyDeliveries]); err == nil && n > 0 {
		info.Deliveries = n
	}
	if ms, err := strconv.ParseInt(msg.Metadata[KeyPublishedAt], 10, 64); err == nil {
		info.PublishedAt = time.UnixMilli(ms)
	}
	return info
}
