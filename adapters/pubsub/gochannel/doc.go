// Package gochannel is a message broker inside the process: topics in memory, for one leat that needs no other server to pass
// messages on. What it holds ends with the process.
//
// # What a topic holds
//
// Messages in the order of publishing, each until every group that has ever subscribed has acked it, at most Config.Buffer
// messages and Config.BufferBytes of them. A group begins with whatever the topic holds when it first subscribes; so
// messages that were published before are not lost. Publish copies the message, and so does every delivery:
// payload and metadata are the handler's own.
//
// A full topic with a live subscription makes publishers wait for room, in the order of their calls, for at most
// Config.PublishTimeout; then Publish fails with kind Unavailable and code CodeFull. A call of up to half the buffer is taken
// whole or not at all.
//
// A full topic that nobody reads (dead letters without a consumer, session scores) drops its oldest messages instead; how many
// is logged, at most once a minute. A group whose subscriptions have all ended keeps its place, but counts as nobody: what
// only such groups have not acked is dropped first.
//
// # What is guaranteed
//
// While the process lives, a message that a group has not acked is delivered to it, at least once, unless it was dropped as above.
// First deliveries are in the order of publishing; handlers run concurrently. Subscriptions of one group share its messages, and
// what one gives back comes to the others, before newer messages. Every group gets every message. For nacks and the
// bound on what is in flight see package inflight.
//
// # What is not
//
// Nothing survives the process: not after a crash, and not after Backend.Close, which logs how many messages were lost. No other
// process can publish or read; leat's own commands reach a running leat through HTTP. Messages have no position, so the ack floor is
// a time, and a duplicate is recognised within the dedup window only. Deliveries are not counted.
package gochannel
