package activity_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

const logID = `"pomodoroUsageLogId":"66f0a1b2c3d4e5f601234567"`

// Two messages of one event are one event, in one batch or in two, before and after the floor has passed them.
func TestDuplicates(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		const fields = `"userId":"u1","app":"Code","duration":60,"timestamp":"2025-10-14T11:59:00+09:00",` + logID
		r.succeed(event(1, fields), event(2, fields), event(3, `"userId":"u2","app":"Code","duration":1`), event(4, fields))
		require.Equal(t, map[string]float64{"u1": 60, "u2": 1}, r.seconds())
		r.succeed(event(5, fields))
		require.NoError(t, r.RaiseFloor(t.Context(), stream, at(100)))
		require.Empty(t, r.markers)
		r.succeed(event(101, fields), again(event(102, fields)))
		require.Equal(t, map[string]float64{"u1": 60, "u2": 1}, r.seconds())
		require.Len(t, r.logs, 2)
	})
}

// A repeat whose first one fails for a reason of its own is not failed with it.
func TestDuplicateOfOneThatFails(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		const fields = `"userId":"u1","app":"Code","duration":60,` + logID
		r.failOnce("AddLogs/before", fault.Internalf("bug", "a bug"))
		errs := r.deliver(event(1, fields), event(2, fields))
		require.ErrorContains(t, errs[0], "a bug")
		require.NoError(t, errs[1])
		require.Equal(t, map[string]float64{"u1": 60}, r.seconds())
	})
}

// Two events that claim one identity cannot both be true: the one that was not recorded is invalid.
func TestIdentityConflict(t *testing.T) {
	const stands = `"userId":"u1","app":"Code","duration":60,"timestamp":"2025-10-14T11:59:00+09:00",` + logID
	for what, fields := range map[string]string{
		"user":      `"userId":"u2","app":"Code","duration":60,"timestamp":"2025-10-14T11:59:00+09:00",` + logID,
		"duration":  `"userId":"u1","app":"Code","duration":61,"timestamp":"2025-10-14T11:59:00+09:00",` + logID,
		"timestamp": `"userId":"u1","app":"Code","duration":60,"timestamp":"2025-10-14T11:58:00+09:00",` + logID,
		"content":   `"userId":"u1","app":"Vim","duration":60,"timestamp":"2025-10-14T11:59:00+09:00",` + logID,
	} {
		for when, deliver := range map[string]func(r *rig, first, second *message.Message) error{
			"in one batch": func(r *rig, first, second *message.Message) error {
				errs := r.deliver(first, event(9, `"userId":"u9","app":"Code","duration":9`), second)
				require.NoError(r.t, errs[0])
				require.NoError(r.t, errs[1], "a neighbour")
				return errs[2]
			},
			"in two": func(r *rig, first, second *message.Message) error {
				r.succeed(first)
				return r.deliver(second)[0]
			},
			"delivered before": func(r *rig, first, second *message.Message) error {
				r.succeed(first)
				return r.deliver(again(second))[0]
			},
		} {
			t.Run(what+" "+when, func(t *testing.T) {
				withPipeline(t, func(t *testing.T, r *rig) {
					err := deliver(r, event(1, stands), event(2, fields))
					requireInvalid(t, err, "identity_conflict")
					require.ErrorContains(t, err, "another "+what)
					require.Equal(t, 60.0, r.seconds()["u1"])
					require.Zero(t, r.seconds()["u2"])
				})
			})
		}
	}
}

// Documents that the producer created beforehand are completed, and count once.
func TestProducersDocuments(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		id, err := activity.ParseID("66f0a1b2c3d4e5f601234567")
		require.NoError(t, err)
		contentID, err := activity.ParseID("66f0a1b2c3d4e5f6aaaaaaaa")
		require.NoError(t, err)
		content := activity.Content{App: "Paint"}
		r.logs[id] = activity.UsageLog{ID: id, User: "u1"}
		r.contents[content] = activity.CategorizedData{ID: contentID, Content: content}
		msg := event(1, `"userId":"u1","app":"Paint","duration":60,"categorizedDataId":"66f0a1b2c3d4e5f6aaaaaaaa",`+logID)
		r.succeed(msg)
		r.succeed(again(msg))
		require.Len(t, r.logs, 1)
		require.Equal(t, at(1), r.logs[id].Position)
		require.Equal(t, contentID, r.logs[id].CategorizedDataID)
		require.Equal(t, uncategorized, r.contents[content].CategoryID)
		require.Equal(t, map[string]float64{"u1": 60}, r.seconds())
	})
}
