package redisstream

// Event is something that happens to entries of a stream; Options.Observe counts them.
type Event uint8

const (
	EventRead      Event = iota // read for the first time
	EventAcked                  // finished, and Redis confirmed it
	EventNacked                 // nacked; delivered again later
	EventClaimed                // taken over: own entries of an earlier life, or idle ones of another consumer
	EventTrimmed                // pending, but its data was trimmed or deleted; acked unseen
	EventMalformed              // could not be decoded; delivered with its raw fields
	EventSuspect                // delivered too often; run alone
	EventExhausted              // its runs alone ended without an outcome; delivered to be dead-lettered
	EventLost                   // claimed by another consumer while held here
	EventReturned               // handed back at the stop, undelivered or nacked
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
