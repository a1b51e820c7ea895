package pubsub

import "time"

// Capabilities is what a backend can and cannot do, as data: start-up checks it against what a pipeline needs.
type Capabilities struct {
	InFlight      int           // messages of one subscription that may be without an outcome; 0 means without limit
	Positions     bool          // messages carry a source and a position, and there is an ack floor
	NackDelay     bool          // a nacked message waits before it comes again, and holds no other up
	MaxHold       time.Duration // how long a message may be held without an outcome; 0 means for ever
	DeliveryCount bool          // deliveries are counted across crashes, so that a message that kills its process is found
	Order         Order         // in which messages are delivered first
	Durable       bool          // messages survive a restart of the broker
	Shared        bool          // several processes can share a consumer group, and take over from each other
	External      bool          // other processes can publish and read
	Lag           bool          // what waits can be told
	MaxMessage    int64         // bytes of a message, metadata included; 0 means that there is no limit worth speaking of
}

// Order is the order of first deliveries. Handlers run concurrently whatever it is.
type Order string

const (
	OrderTopic     Order = "topic"     // that of publishing
	OrderPartition Order = "partition" // that of publishing, within a partition
	OrderNone      Order = "none"
)
