// Package inflight is the half of a subscriber that is the same for every broker: it holds the messages that the broker
// has handed out until the broker has confirmed their outcome. A backend implements Source, which is the other half.
//
// # What it guarantees
//
// At most Options.InFlight messages of a subscription, and about 64 MiB of them, have no confirmed outcome. When handlers are
// slow, reading is slow; nothing else is buffered. Handlers run concurrently.
//
// A nacked message comes again after Nack.Delay, doubled with each nack, from here: the broker does not hear of it, and
// its delivery count does not grow. It holds nobody up and keeps its place in the window. Where the broker limits how
// long a message may be held, one that has been held for Options.MaxHold is handed back instead.
//
// A message that was delivered more than Options.MaxDeliveries times without an outcome is a suspect: it is
// delivered with nothing else in flight in its subscription, after a note of it was made. An ack or a
// nack is an outcome, and removes the note. If it comes up again with the note still there, its process
// ended during that run, though perhaps not of it: it runs alone once more. After two such runs it is delivered
// with delivery.KeyExhausted, to be dead-lettered unhandled.
//
// A stop ends reading, hands back what no handler has received, lets the handlers finish, and tells the broker every outcome.
package inflight
