// Package kafka reads and publishes on a Kafka cluster, 1.0 or newer, with the client franz-go.
//
// # What a message is
//
// A record, as watermill-kafka's DefaultMarshaler writes it: the payload is the value, the UUID the header
// _watermill_message_uuid, the metadata the other headers. A record of any other producer is a message too: without the
// header its UUID is empty, and a null value is an empty payload. Nothing that is in a record is malformed.
// Records are published without a key, spread evenly over the partitions; keys are not read.
//
// The source of a message is namespace:topic#ID/partition, its position the offset + 1: position 0 means none. ID is the topic's id, in
// base64url: a topic that is deleted and created anew begins its offsets anew, and has another one. Each commit names it too, in its
// metadata, so that one that comes too late for the old topic, and hits the new one, is not believed. Brokers before 2.8 have no ids, and
// then the source has none: whoever deletes a topic there must change broker.namespace, or new messages are taken for old ones.
//
// # What is guaranteed
//
// The messages of a partition are handed out in their order, and handled concurrently. The committed offset of a partition is
// the end of its prefix that is acked without a gap. A nacked or slow message holds up the commit of its partition,
// though nobody's work: the partition is read on, up to max_ahead messages beyond its commit.
//
// With each commit goes a list of what is acked beyond it (in its metadata, up to 4 kB), so that whoever reads the partition next,
// another process or this one after a restart, does not hand that out again.
//
// The members of a group share the partitions, and rebalance without a stop of those that stay where they are. A process keeps what
// it has, however slow its handlers are: heartbeats do not wait for them. When a partition goes to another member, what waits
// is dropped, handlers have 2 s to finish, and what is acked is committed. What is in flight for longer finishes, too, but its
// ack is not committed into a partition that is somebody else's. A clean stop leaves the group after its last commit.
//
// A topic that is deleted while it is read is created anew, and read from its beginning. What is in hand of the old one is handled to
// its end.
//
// Messages of transactions that were aborted are not delivered.
//
// # What is not
//
// Kafka counts no deliveries: each is the first, so that a message which kills its process is not found by counting.
//
// What was acked behind a message that is not done may be handed out again if the process dies, or if the list of it finds no
// room beside the commit. Effects are applied once all the same, because the ack floor stays below that message.
//
// At most as many processes share the work of a topic as it has partitions.
//
// Kafka deletes messages when they are as old as retention.ms says, a week by default, whether they were handled or not, dead letters
// too. Where unclean.leader.election.enable is true, an election may lose messages and give their offsets out again: what is new there lies
// below the ack floor, and counts as done.
package kafka
