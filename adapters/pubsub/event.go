package pubsub

// Event is something that happens to messages of a topic; subscribers report it, so that it can be counted.
type Event uint8

const (
	EventRead      Event = iota // read for the first time
	EventAcked                  // finished, and the broker confirmed it
	EventNacked                 // nacked; delivered again later
	EventClaimed                // taken over: of an earlier life of this consumer, or of another one that is gone
	EventTrimmed                // pending, but its data was trimmed or deleted; acked unseen
	EventMalformed              // could not be decoded; delivered as it is
	EventSuspect                // delivered too often; run alone
	EventExhausted              // its runs alone ended without an outcome; delivered to be dead-lettered
	EventLost                   // given to another consumer while held here
	EventReturned               // handed back to the broker, undelivered, nacked, or held for too long
)

var eventNames = [...]string{
	"read", "acked", "nacked", "claimed", "trimmed", "malformed", "suspect", "exhausted", "lost", "returned",
}

// String returns the name that metric labels carry.
func (e Event) String() string {
	if int(e) < len(eventNames) {
		return eventNames[e]
	}
	return "unknown"
}
