package activity_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// points are all places at which the world can fail a batch of unknown content with the end of a session in it.
var points = []string{
	"FindContents/before", "FindContents/after", "AddContents/before", "AddContents/after", "AddLogs/before", "AddLogs/after",
	"Publish/before", "Publish/after", "Apply/before", "Apply/after",
}

// Wherever a delivery ends, even after an effect whose success nobody heard of, the next one completes it, once.
func TestRedeliveryCountsOnce(t *testing.T) {
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			withPipeline(t, func(t *testing.T, r *rig) {
				messages := []*message.Message{
					event(1, `"userId":"u1","app":"Paint","duration":60,"isEnd":true`), event(2, `"userId":"u2","app":"Code","duration":5`),
				}
				r.failOnce(point, fault.Unavailablef("down"))
				for _, err := range r.deliver(messages...) {
					require.Equal(t, fault.Unavailable, fault.KindOf(err), "a store that is down is nobody's fault")
				}
				r.succeed(again(messages[0]), again(messages[1]))
				require.Equal(t, map[string]float64{"u1": 60, "u2": 5}, r.seconds())
				require.Equal(t, map[string]float64{"u2": 5}, r.board("work"))
				require.Len(t, r.logs, 2)
				require.Len(t, r.contents, 2)
				require.Contains(t, r.ended, activity.SessionScore{User: "u1", SessionDate: "2025-10-14"})

				r.succeed(again(again(messages[0])), again(again(messages[1])))
				require.Equal(t, map[string]float64{"u1": 60, "u2": 5}, r.seconds(), "an ack that was lost costs nothing")
			})
		})
	}
}

// A lookup of what was delivered before may fail too.
func TestRedeliveryFindsTheStoreDown(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		msg := event(1, `"userId":"u1","app":"Code","duration":60`)
		r.succeed(msg)
		r.failOnce("FindLogs/before", fault.Unavailablef("down"))
		err := r.deliver(again(msg))[0]
		require.Equal(t, fault.Unavailable, fault.KindOf(err))
		require.Equal(t, "dedup", fault.Of(err).Stage)
		r.calls = nil
		r.succeed(again(msg))
		require.Equal(t, []string{"FindLogs", "Apply"}, r.calls, "a record that stands is not written again")
		require.Equal(t, map[string]float64{"u1": 60}, r.seconds())
	})
}

// However often and wherever the world fails, in the end the boards say what the events say.
func TestAnyFaults(t *testing.T) {
	for seed := range uint64(40) {
		withPipeline(t, func(t *testing.T, r *rig) {
			random := rand.New(rand.NewPCG(seed, 4))
			r.faults = func(string) error {
				switch random.IntN(8) {
				case 0:
					return fault.Unavailablef("down")
				case 1:
					return fault.Internalf("bug", "the whole batch failed")
				}
				return nil
			}
			want := map[string]float64{}
			var waiting []*message.Message
			for n := range 40 {
				user, seconds := fmt.Sprint("u", random.IntN(5)), float64(random.IntN(80))/8
				if want[user] += seconds; want[user] == 0 {
					delete(want, user)
				}
				waiting = append(waiting, event(n, fmt.Sprintf(`"userId":%q,"app":"app %d","duration":%v,"isEnd":%t`, user, random.IntN(9), seconds, n%7 == 0)))
			}
			for round := 0; len(waiting) > 0; round++ {
				require.Less(t, round, 5000)
				some := waiting[:1+random.IntN(len(waiting))]
				rest := slices.Clone(waiting[len(some):])
				for n, err := range r.deliver(some...) {
					if err != nil || random.IntN(4) == 0 { // or its ack is lost
						rest = append(rest, again(some[n]))
					}
				}
				waiting = rest
				if random.IntN(3) == 0 && len(waiting) > 0 { // everything before the oldest one is acked
					oldest := delivery.Of(slices.MinFunc(waiting, func(a, b *message.Message) int {
						return strings.Compare(delivery.Of(a).Position.Key(), delivery.Of(b).Position.Key())
					})).Position
					_ = r.RaiseFloor(t.Context(), stream, oldest)
				}
			}
			require.Equal(t, want, r.seconds(), "seed %d", seed)
			require.Len(t, r.logs, 40)
		})
	}
}

// The end of a session is told once it is recorded, and before the boards, so that it is told again if they fail.
func TestSessionEnds(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		msg := event(1, `"userId":"u1","app":"Code","duration":60,"session":3,"sessionDate":"2025-10-13","isEnd":true`)
		r.failOnce("Apply/before", fault.Unavailablef("down"))
		require.Error(t, r.deliver(msg, event(2, `"userId":"u2","app":"Code","duration":1`))[0])
		require.Equal(t, []string{"AddContents", "AddLogs", "Publish", "Apply"}, r.calls)
		ended := activity.SessionScore{User: "u1", SessionDate: "2025-10-13", Session: 3}
		require.Equal(t, []activity.SessionScore{ended}, r.ended)
		r.succeed(again(msg))
		require.Equal(t, []activity.SessionScore{ended, ended}, r.ended)

		r.calls = nil
		r.failOnce("AddLogs/before", fault.Unavailablef("down"))
		require.Error(t, r.deliver(event(3, `"userId":"u1","app":"Code","duration":60,"isEnd":true`))[0])
		require.NotContains(t, r.calls, "Publish", "what is not recorded did not end")
	})
}

// A dead letter of an event that is recorded but not counted says so; one that is not even recorded does not.
func TestDeadLetterSaysWhatIsNotApplied(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		msg := event(1, `"userId":"u1","app":"Code","duration":60`)
		r.failOnce("Apply/before", fault.Internalf("wrong_type", "a list"))
		detail := fault.Of(r.deliver(msg)[0])
		require.Equal(t, "aggregate", detail.Stage)
		require.Equal(t, map[string]string{"applied": "false"}, detail.Notes)

		r.failOnce("AddLogs/before", fault.Internalf("bug", "a bug"))
		detail = fault.Of(r.deliver(event(2, `"userId":"u1","app":"Code","duration":60`))[0])
		require.Equal(t, "persist", detail.Stage)
		require.Empty(t, detail.Notes)
	})
}
