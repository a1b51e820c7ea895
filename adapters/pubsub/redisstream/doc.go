// Package redisstream reads and writes Redis streams behind Watermill's Subscriber and Publisher, in the wire
// format of watermill-redisstream. It needs Redis 6.2 or later, or miniredis for one process.
//
// # What a message is
//
//	entry                                           payload                      UUID
//	_watermill_message_uuid, metadata, payload      the payload                  the producer's
//	one field: payload, data or message             its value                    empty
//	any other fields                                a JSON object of strings     empty
//	what cannot be decoded                          the raw fields as JSON       empty
//
// The class names that Spring adds (_class, @class) do not count as fields beside a single one. What cannot be
// decoded has the reason under delivery.KeyMalformed, and all its fields in order:
//
//	[{"name":"userId","value":"u1"},{"name":"title","base64":"/w=="}]
//
// The metadata keys of package delivery are set on every message. The position is the entry id.
//
// # What is guaranteed
//
// Each entry is delivered at least once, and is acked in Redis after its message was acked. Entries are
// delivered in the order of the stream, except for nacked, claimed and suspect ones; handlers run concurrently.
//
// At most Config.InFlight entries of a subscription, and about 64 MiB of payload, have no confirmed outcome.
// When handlers are slow, reading is slow; nothing else is buffered.
//
// A nacked entry comes again after Nack.Delay, doubled with each nack. It holds nobody up, keeps its place in
// the window, and its delivery count does not grow.
//
// A process that dies leaves its entries pending. They are delivered again when its consumer name comes back,
// or by any other consumer once they are idle for Claim.MinIdle. A live process keeps its own from being
// claimed, however slow its handlers are. If it loses one all the same, because it was stopped or cut off for
// longer than that, the entry is handled twice; both acks count, and effects must be applied once.
//
// An entry that was delivered more than Config.MaxDeliveries times without an outcome is a suspect: it is
// delivered with nothing else in flight in its subscription, after a note of it was made in Redis. An ack or a
// nack is an outcome, and removes the note. If the entry comes up again with the note still there, its process
// ended during that run, though perhaps not of it: it runs alone once more. After two such runs it is delivered
// with delivery.KeyExhausted, to be dead-lettered unhandled.
//
// Pending entries whose data was trimmed or deleted before they came here are acked unseen, and counted as
// pubsub.EventTrimmed. What a process holds already it delivers, even if the stream is trimmed or deleted meanwhile; only
// if it stops before that is such an entry lost.
//
// # Keys
//
// All keys lie on the slot of the stream in cluster mode.
//
//	leat:{STREAM}:lease:STREAM:GROUP:CONSUMER   the process that has the consumer name; expires after Config.Lease
//	leat:{STREAM}:suspects:STREAM:GROUP         hash: id of an entry that runs alone to how often it has
package redisstream
