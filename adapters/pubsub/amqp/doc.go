// Package amqp reads and writes RabbitMQ (3.8 and later) by AMQP 0-9-1, behind Watermill's Subscriber and Publisher, in the wire format
// and the topology of watermill-amqp's durable pub/sub.
//
// # What a topic is
//
//	exchange TOPIC          fanout, durable   everything is published here
//	queue TOPIC_GROUP       durable           one for each group, bound to the exchange: a group gets everything since its first subscription
//	queue TOPIC             durable           not bound: has what was published while no group was there to get it
//
// A fanout exchange without queues drops what it gets. The publisher therefore asks for what came to no queue back, and puts it into
// the queue TOPIC, by the default exchange. Every subscription reads that queue beside the one of its group, so that nothing
// is lost, dead letters that nobody reads yet included; if there are several groups then, one of them gets it. Programs
// that know nothing of the exchange can publish to the queue TOPIC, too.
//
// What exists is used as it is, whatever its type and arguments; what does not is declared. The queue of a group that is
// used no more goes on filling up until somebody deletes it. A topic must not be named like the queue of another one's group.
//
// The stock adapter interoperates as NewDurablePubSubConfig with GenerateQueueNameTopicNameWithSuffix(GROUP), and reads or
// declares the same queue if its Queue.Arguments are those that leat declares: x-queue-type, and, of quorum queues on RabbitMQ 4,
// x-delivery-limit -1. It cannot read a quorum queue's message again after a nack: the server counts in a header
// that is a number, and the stock adapter refuses such.
//
// # What a message is
//
//	payload        the body
//	UUID           header _watermill_message_uuid, else the property message_id, else empty
//	metadata       the other headers; those that are no text become text, tables and lists as JSON
//	published at   header timestamp_in_ms (the server's interceptor), else the property timestamp, in seconds
//
// There is nothing that cannot be decoded. Metadata under CC and BCC, which RabbitMQ takes for addresses, travels as leat_header_CC and
// leat_header_BCC. All metadata of a message must fit into one frame (frame_max, 128 KiB by default).
//
// # What is guaranteed
//
// A message is delivered at least once to each group. It is acked after its handler has; acks are written together, and a stop
// waits until the server has read them all. Until then nobody does: if the connection breaks or the node dies at that moment, messages
// come again whose acks were on the way.
//
// A channel or connection that ends takes its deliveries along: the server delivers them again, here or elsewhere, and what handlers here
// are at is handled twice. Effects must be applied once. Positions do not exist, so repeats are recognised for the dedup window only.
//
// Quorum queues count deliveries, across the ends of processes, so that a message that kills its process is found. A hand-back
// counts as a delivery there. Classic queues know only that a message was delivered before, and never make a suspect.
// RabbitMQ 4 drops a message of a quorum queue at its 21st delivery unless the queue was declared otherwise; leat declares it so, but a
// queue that was made before the upgrade needs a policy with a high delivery-limit.
//
// A message is handed back after max_hold, so that the server's consumer_timeout does not end the channel: one that is nacked
// after that time, and one that was pushed and that nobody has read for that time. Together that is twice max_hold. A stop hands
// back what nobody has read at once.
//
// What the server pushes ahead is bounded by in_flight, for each of the two queues of a subscription. Where that is more than about
// 64 MiB, it is handed back, and less is asked for from then on.
//
// A publish is confirmed by the server, message by message: durable queues have it. One connection reads and acks, another one
// publishes: a server that is short of memory or disk takes no messages, while acks go through.
//
// The order of messages is not kept.
package amqp
