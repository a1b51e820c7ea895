package pubsubtest

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
)

const (
	// nackDelay is the nack.delay that Harness.Connect configures.
	nackDelay = 50 * time.Millisecond
	// inFlight is the in_flight that Harness.Connect configures.
	inFlight = 200
)

// Harness is how the suite gets at a backend.
type Harness struct {
	Kind string
	// Connect opens a backend with settings that keep tests short: nack.delay 50ms, in_flight 200, short ack wait, lease and session
	// (about 2 s), max_deliveries 2, and at least three partitions where topics have some. Each call is another "process". The test closes it.
	Connect func(t testing.TB) pubsub.Backend
	// Link opens a backend whose connections a test can cut: cut drops them all and refuses new ones, mend lets
	// them in again. Nil where there is no network.
	Link func(t testing.TB) (backend pubsub.Backend, cut, mend func())
	// Redelivered is the longest time until the messages of a process that died come again.
	Redelivered time.Duration
	// Malformed puts something into the topic that cannot be decoded. Nil where everything can be.
	Malformed func(t testing.TB, topic string)
	// Stock makes the stock Watermill adapter for the same server. Nil where there is none.
	Stock func(t testing.TB, group string) (message.Publisher, message.Subscriber)
	// Hold is a short MaxHold that Connect configured, where the backend has one; 0 otherwise.
	Hold time.Duration
	// Forget removes from a shared server what the topic and its groups left there. Nil where the server ends with the test.
	Forget func(t testing.TB, topic string, groups ...string)
	// Server names the server and its version, for the table: "Redis 7.0.15". Nil where that is not easily known.
	Server func(t testing.TB) string
}

// suite is a harness, with what its backend can do.
type suite struct {
	Harness
	caps     pubsub.Capabilities
	patience time.Duration // how long a test waits for what must happen
}

// property is something that holds for every backend, unless it is skipped with a reason.
type property struct {
	name string
	test func(t testing.TB, s suite)
}

// properties are in the order of the table.
var properties = []property{
	{"batches fill", batchesFill},
	{"a nack delays and holds nobody up", nackDelays},
	{"malformed messages survive", malformedSurvive},
	{"messages arrive as they were sent", roundTrip},
	{"flat fields arrive as an object", flatFields},
	{"first deliveries come in order", inOrder},
	{"close drains and acks", closeDrains},
	{"a held message stays held", heldStays},
	{"cancel stops reading", cancelStops},
	{"a closed gate stops reading", gatePauses},
	{"three consumers share a group", threeShare},
	{"a crash loses nothing", crashLosesNothing},
	{"a suspect runs alone and is given up", suspectRunsAlone},
	{"each group gets everything", groupsGetAll},
	{"a new group gets what came before", groupGetsOld},
	{"an outage loses nothing", outageLosesNothing},
	{"positions grow and stay", positionsGrow},
	{"the ack floor passes nothing unacked", floorHolds},
	{"lag is right", lagIsRight},
	{"the stock subscriber reads ours", stockReads},
	{"we read the stock publisher", stockWrites},
	{"the largest message goes through", largestGoes},
}

// Run runs the suite. Subtests run in parallel, with topics and groups of their own.
func Run(t *testing.T, h Harness) {
	backend := h.Connect(t)
	s := suite{Harness: h, caps: backend.Capabilities(), patience: 15 * time.Second}
	if err := backend.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if h.Server != nil {
		t.Logf("server: %s", h.Server(t))
	}
	for _, property := range properties {
		t.Run(property.name, func(t *testing.T) {
			t.Parallel()
			property.test(t, s)
		})
	}
}

// window is how many messages of one subscription may be in flight.
func (s suite) window() int {
	if s.caps.InFlight > 0 {
		return s.caps.InFlight
	}
	return inFlight
}

// notApplicable skips a property, with the reason why it cannot hold.
func notApplicable(t testing.TB, reason string) {
	t.Helper()
	t.Skip("n/a: " + reason)
}
