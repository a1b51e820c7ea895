package pubsubtest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"leat/adapters/pubsub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record runs a property against the broker in memory, in time of its own.
func record(t *testing.T, property property, h func(testing.TB, *memory) Harness, f faults) (r *recorder) {
	synctest.Test(t, func(t *testing.T) {
		r = &recorder{TB: t}
		m := newMemory(f)
		s := suite{Harness: h(r, m), patience: 15 * time.Second}
		s.caps = s.Connect(r).Capabilities()
		step := func(f func()) {
			done := make(chan struct{})
			go func() { defer close(done); f() }()
			<-done
		}
		step(func() { property.test(r, s) })
		for _, cleanup := range slices.Backward(r.cleanups) {
			step(cleanup)
		}
	})
	return r
}

// harness is that of the broker in memory. Its stock adapter is that of a broker without faults.
func harness(_ testing.TB, m *memory) Harness {
	connect := func() *backend { return &backend{m, &link{}} }
	return Harness{
		Kind:    "memory",
		Connect: func(testing.TB) pubsub.Backend { return connect() },
		Link: func(testing.TB) (pubsub.Backend, func(), func()) {
			b := connect()
			return b, func() { b.link.cut.Store(true) }, func() { b.link.cut.Store(false) }
		},
		Redelivered: ackWait + 200*time.Millisecond,
		Malformed: func(_ testing.TB, name string) {
			m.do(func() {
				t := m.topic(name)
				t.log = append(t.log, &entry{message: message.NewMessage("", []byte("{{")), malformed: true})
			})
		},
		Stock: func(t testing.TB, group string) (message.Publisher, message.Subscriber) {
			b := connect()
			broker, err := b.Broker(pubsub.Options{Group: group})
			require.NoError(t, err)
			if m.faults.stockDiffers {
				return bare{b.Publisher()}, &meddler{broker.Subscriber, withoutMetadata}
			}
			return b.Publisher(), broker.Subscriber
		},
		Hold: m.faults.maxHold,
	}
}

func TestSuitePassesWhatWorks(t *testing.T) {
	for name, f := range map[string]faults{
		"with positions": {}, "without positions": {timeFloor: true}, "with a longest hold": {maxHold: time.Second, hold: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			for _, property := range properties {
				t.Run(property.name, func(t *testing.T) {
					r := record(t, property, harness, f)
					require.False(t, r.failed, r.text.String())
					require.Equal(t, f.timeFloor && property.name == "positions grow and stay", r.skipped, r.text.String())
				})
			}
		})
	}
}
