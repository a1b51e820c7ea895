// Package nats reads and writes NATS JetStream behind Watermill's Subscriber and Publisher, in the wire format of watermill-nats/v2
// with its NATSMarshaler, which is the default of its packages nats and jetstream. It needs nats-server 2.9 or later.
//
// # What a message is
//
// The payload is the payload. The UUID is in the header _watermill_message_uuid, and each other header is a metadata key; several
// headers of one name are joined with commas. A message of any other producer has an empty UUID. What watermill-nats wrote with its
// GobMarshaler or JSONMarshaler has no headers, and is delivered as such a message, not unpacked: it cannot be told from a payload.
//
// Headers have one line and no white space around. Metadata that is not like that, or whose name no header may have, is also sent
// under leat_exact, a JSON object of names to base64, which wins when it is read; so is metadata called Nats-…, but not as
// a header, in which the server would see a command. If leat_exact cannot be read, the message has the reason under
// delivery.KeyMalformed. The headers Nats-Msg-Id and Nats-Expected-… of a producer are left out.
//
// # Streams and consumers
//
// A topic is a subject. It is read from, and published to, the stream that takes the subject, whoever made it. If there is none, one is
// created for it: its name is the topic, with anything but letters, digits, _ and - written as =XX. The durable consumer
// has the name of the consumer group, in the same way, and on streams with more than the topic's subject @ and the topic behind it.
// Neither is changed or deleted once it exists. If one is deleted while it is read, it is created again.
//
// The position is the sequence in the stream, the source namespace:topic#BORN, where BORN is when the stream was created, in milliseconds, to
// the base of 36: a stream that is deleted and created again may begin its sequences anew, and is another source. That of
// a stream which is created here goes on beyond the old one's, since it begins with the time in microseconds; servers
// before 2.10 cannot do that, and begin with 1.
//
// # What is guaranteed
//
// Each message is delivered at least once. First deliveries come in the order of the stream; handlers run concurrently. All processes
// of a group share its durable consumer, and the server counts deliveries across them.
//
// An ack is told to the server with those that finished at the same time, and confirmed for all of them by one answer. The server
// itself may forget the last acks when its machine crashes, and the last messages: it tells the disk every two minutes (sync_interval). Their
// sequences are then given out again, and what is new there lies below the ack floor, and counts as done. Streams with three replicas, or
// sync_interval: always, do not lose them.
//
// A live process keeps its messages, however slow its handlers are: it tells the server every third of ack_wait. What a process had
// that died is delivered to another after ack_wait; what a subscription that stops had not begun is delivered to another at once, and
// counts as a delivery. If a process is cut off for longer than ack_wait, its messages may be handled twice; what comes
// back to the process that has it is not.
package nats
