package pubsubtest

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// faults are ways in which a backend can be broken.
type faults struct {
	window, promises int           // what is in flight, and what the capabilities say
	twice            bool          // each message is delivered twice
	shuffles         bool          // first deliveries come in any order
	nackAfter        time.Duration // a nacked message comes again after it
	onNack           func(original *message.Message, deliver func() *message.Message)
	malformedDropped bool // what cannot be decoded is skipped
	malformedEnds    bool // what cannot be decoded ends the subscription
	lowerKeys        bool // metadata keys are changed
	emptyValues      bool // empty metadata is lost
	fieldsNested     bool
	acksLost         bool // acks are told with the next read only
	closesHard       bool // handlers are canceled at once
	keepsAtClose     bool // nothing is handed back
	keepsNothing     bool // nothing is said of what is held
	readsOn          bool // a read does not end with its context
	ignoresGate      bool
	neverAgain       bool // what a dead process had in hand is lost
	uncounted        bool // deliveries are not counted
	maxDeliveries    int
	forgetsNotes     bool
	doubled          bool // there are two subscriptions where one is asked for
	groupsShare      bool
	newGroupsSkip    bool // a new group begins at the end
	outageKills      bool // after an outage nothing is read
	publishSwallows  bool // publishing without a broker succeeds
	publishInternal  bool // publishing without a broker fails for good
	positionsFall    bool
	positionsMove    bool
	floorPasses      bool // what has no outcome
	floorStays       bool
	timeFloor        bool // the backend has no positions
	floorForgets     bool // the time floor passes what is in hand
	lagFails         bool // for an unknown topic
	lagForgets       bool // what is pending
	anySize          bool
	stockDiffers     bool          // the stock adapter has another wire format
	maxHold, hold    time.Duration // what the capabilities and the harness say, and what the subscriber does
}

// broken are backends with a fault each, and the property that must find it, with what it says.
var broken = []struct {
	name, property, says string
	faults               faults
}{
	{"few in flight", "batches fill", "so few messages in flight", faults{window: 20, promises: 20}},
	{"fewer in flight than promised", "batches fill", "150 messages came", faults{window: 150}},
	{"more in flight than promised", "batches fill", "the window is full", faults{promises: 150}},
	{"each message twice", "batches fill", "each message once", faults{twice: true}},
	{"a nack spins", "a nack delays and holds nobody up", "wait after nack 1", faults{nackAfter: time.Millisecond}},
	{"a nack loses", "a nack delays and holds nobody up", "no message came", faults{onNack: losesNacked}},
	{"a nack blocks", "a nack delays and holds nobody up", "0 of 100 others came", faults{onNack: blocksAtNack}},
	{"malformed messages are dropped", "malformed messages survive", "2 messages came", faults{malformedDropped: true}},
	{"malformed messages end the subscription", "malformed messages survive", "messages came", faults{malformedEnds: true}},
	{"keys in lower case", "messages arrive as they were sent", "of payload", faults{lowerKeys: true}},
	{"no empty values", "messages arrive as they were sent", "of payload", faults{emptyValues: true}},
	{"fields in an object of their own", "flat fields arrive as an object", "cannot unmarshal", faults{fieldsNested: true}},
	{"any order", "first deliveries come in order", "order within the topic", faults{shuffles: true}},
	{"acks lost at close", "close drains and acks", "all are acked, but", faults{acksLost: true}},
	{"handlers canceled at close", "close drains and acks", "handlers may finish", faults{closesHard: true}},
	{"nothing handed back at close", "close drains and acks", "no message came in time", faults{keepsAtClose: true}},
	{"nothing kept", "a held message stays held", "a handler has the only message", faults{keepsNothing: true}},
	{"a longest hold that nobody minds", "a held message stays held", "hands the message back", faults{maxHold: time.Second}},
	{"a longest hold, and nothing handed back", "a held message stays held", "no message came in time", faults{maxHold: time.Second, hold: time.Second, keepsAtClose: true}},
	{"reads on after the end of its context", "cancel stops reading", "a second after the end", faults{readsOn: true}},
	{"no gate", "a closed gate stops reading", "the gate was never open", faults{ignoresGate: true}},
	{"nothing taken over, of three", "three consumers share a group", "no message came in time", faults{neverAgain: true}},
	{"each message twice, to three", "three consumers share a group", "each message once", faults{twice: true}},
	{"nothing taken over", "a crash loses nothing", "no message came in time", faults{neverAgain: true}},
	{"deliveries not counted", "a crash loses nothing", "counts", faults{uncounted: true}},
	{"suspects do not run alone", "a suspect runs alone and is given up", "ran alone 0 times", faults{maxDeliveries: 1000}},
	{"suspects are not given up", "a suspect runs alone and is given up", "ran alone 0 times", faults{forgetsNotes: true}},
	{"suspects run beside others", "a suspect runs alone and is given up", "a suspect runs alone, but", faults{doubled: true}},
	{"groups share a cursor", "each group gets everything", "not 100", faults{groupsShare: true}},
	{"new groups begin at the end", "a new group gets what came before", "0 messages came", faults{newGroupsSkip: true}},
	{"an outage ends the reading", "an outage loses nothing", "no message came in time", faults{outageKills: true}},
	{"publishing succeeds without a broker", "an outage loses nothing", "publish without a broker", faults{publishSwallows: true}},
	{"publishing fails for good without a broker", "an outage loses nothing", "publish without a broker", faults{publishInternal: true}},
	{"positions fall", "positions grow and stay", "the one before", faults{positionsFall: true}},
	{"positions change", "positions grow and stay", "in the next process", faults{positionsMove: true}},
	{"the floor passes what has no outcome", "the ack floor passes nothing unacked", "has no outcome", faults{floorPasses: true}},
	{"the floor stays", "the ack floor passes nothing unacked", "does not pass", faults{floorStays: true}},
	{"the time floor passes what is in hand", "the ack floor passes nothing unacked", "waits for what is in hand", faults{timeFloor: true, floorForgets: true}},
	{"the lag of nothing is an error", "lag is right", "no such topic", faults{lagFails: true}},
	{"the lag does not know what is pending", "lag is right", "the lag is", faults{lagForgets: true}},
	{"messages of any size", "the largest message goes through", "is the limit", faults{anySize: true}},
	{"a stock adapter that knows no metadata", "we read the stock publisher", "trace_id", faults{stockDiffers: true}},
	{"a stock adapter that knows no metadata", "the stock subscriber reads ours", "trace_id", faults{stockDiffers: true}},
}

// losesNacked delivers a message, and acks it whatever its handler says.
func losesNacked(original *message.Message, deliver func() *message.Message) {
	msg := deliver()
	go func() {
		select {
		case <-msg.Acked():
		case <-msg.Nacked():
		case <-original.Context().Done():
		}
		original.Ack()
	}()
}

// blocksAtNack delivers a message again and again until it is acked, and no other meanwhile.
func blocksAtNack(original *message.Message, deliver func() *message.Message) {
	for original.Context().Err() == nil {
		msg := deliver()
		select {
		case <-msg.Acked():
			original.Ack()
			return
		case <-msg.Nacked():
		case <-original.Context().Done():
			return
		}
		wait := time.NewTimer(nackDelay)
		select {
		case <-wait.C:
		case <-original.Context().Done():
		}
	}
}

// bare is a publisher that knows no metadata.
type bare struct{ message.Publisher }

func (b bare) Publish(topic string, messages ...*message.Message) error {
	for _, msg := range messages {
		if err := b.Publisher.Publish(topic, message.NewMessage(msg.UUID, msg.Payload)); err != nil {
			return err
		}
	}
	return nil
}

// withoutMetadata delivers a message with nothing but its payload.
func withoutMetadata(original *message.Message, deliver func() *message.Message) {
	original.Metadata = message.Metadata{}
	deliver()
}

// Each fault is found by the property that is there to find it.
func TestSuiteFindsFaults(t *testing.T) {
	found := make(map[string]bool)
	for _, test := range broken {
		t.Run(test.name+", "+test.property, func(t *testing.T) {
			for _, property := range properties {
				if property.name != test.property {
					continue
				}
				found[property.name] = true
				r := record(t, property, harness, test.faults)
				require.True(t, r.failed, "the fault is not found")
				require.Contains(t, r.text.String(), test.says)
			}
		})
	}
	for _, property := range properties {
		require.True(t, found[property.name], "%q has no fault to find", property.name)
	}
}
