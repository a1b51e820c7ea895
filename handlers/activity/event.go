package activity

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"leat/handlers/delivery"
)

// ID is a MongoDB ObjectID: 12 bytes, written as 24 hexadecimal digits.
type ID [12]byte

// ParseID reads 24 hexadecimal digits.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 2*len(id) {
		return id, fmt.Errorf("%q is not an ObjectID of 24 hexadecimal digits", s)
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("%q is not an ObjectID of 24 hexadecimal digits", s)
	}
	return id, nil
}

// String is the form that ParseID reads.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the ID was never set.
func (id ID) IsZero() bool { return id == ID{} }

// Content is what was in front: at least one of the three is set.
type Content struct {
	App, Title, URL string
}

// ID is the first 12 bytes of SHA-256 over app, url and title, each preceded by its length, so that
// known content is found by its id.
func (c Content) ID() ID {
	var buf [512]byte
	b := buf[:0]
	for _, s := range [...]string{c.App, c.URL, c.Title} {
		n := len(s)
		b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		b = append(b, s...)
	}
	sum := sha256.Sum256(b)
	return ID(sum[:12])
}

// CategoryID is the id of a category document that leat itself creates: derived from the name, so that
// several workers that fill an empty store agree.
func CategoryID(name string) ID {
	sum := sha256.Sum256([]byte("category:" + name))
	return ID(sum[:12])
}

// Event says that a user had some content in front for a while. It is immutable once decoded.
type Event struct {
	ID       ID   // the identity: of the usage log, and of the marker that says it is counted
	Explicit bool // the producer named the log and may have created its document beforehand

	User    string
	Content Content
	// ContentID is the id under which the producer says it created the content; zero if it does not say.
	ContentID ID

	Duration  float64   // seconds, at least 0
	Timestamp time.Time // whole milliseconds
	Dated     bool      // the producer gave the timestamp; otherwise it is when the broker took the entry

	Session        int
	SessionDate    string // yyyy-MM-dd
	SessionMinutes int
	IsEnd          bool // the last event of its session

	// Delivery tells where the message stood. Where the broker has no positions, the position is the time of decoding in epoch
	// milliseconds: that of the first delivery stays in the record, and is compared with a floor of time.
	Delivery delivery.Info
}

// CategorizedData is a document of categorized_data: content and what it was classified as.
type CategorizedData struct {
	ID         ID
	Content    Content
	CategoryID ID // zero in a document that the producer created and nobody classified yet
	LLM        bool
	// Source and Position are those of the message that first wrote the document.
	Source   string
	Position delivery.Position
}

// UsageLog is a document of pomodoro_usage_log: one event, recorded.
type UsageLog struct {
	ID                ID
	User              string
	CategorizedDataID ID
	CategoryID        ID
	Session           int
	SessionDate       string
	SessionMinutes    int
	Timestamp         time.Time // whole milliseconds
	Duration          float64   // seconds
	// Source and Position are those of the message that wrote the record. A document that the producer
	// created beforehand has neither until leat completes it.
	Source   string
	Position delivery.Position
}

// SessionScore says that a session ended and is recorded, so that its score can be computed.
type SessionScore struct {
	User        string
	SessionDate string // yyyy-MM-dd
	Session     int
}
