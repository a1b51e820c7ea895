package activity_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/batch"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

const stream = "pomodoro_pattern_match_stream"

// noon is the time of all tests: 2025-10-14, 12:00 in Seoul.
var noon = time.Date(2025, 10, 14, 3, 0, 0, 0, time.UTC)

var (
	development   = activity.CategoryID("Development")
	entertainment = activity.CategoryID("Entertainment")
	uncategorized = activity.CategoryID("Uncategorized")
)

// rig is a pipeline and the world around it.
type rig struct {
	*world
	*activity.Pipeline
	t *testing.T
}

// withPipeline runs a test on a pipeline that takes what is delivered together as one batch.
func withPipeline(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.patterns = []activity.CategoryPatterns{
			{ID: development, Category: "Development", Apps: []string{"code"}, Domains: []string{"github.com"}},
			{ID: entertainment, Category: "Entertainment", Domains: []string{"youtube.com"}},
		}
		r := &rig{world: w, t: t}
		var err error
		r.Pipeline, err = activity.New(activity.Config{
			TimeZone: "Asia/Seoul", MaxDuration: 24 * time.Hour, MaxFuture: 10 * time.Minute, MaxPayload: 256 << 10,
			Boards: []string{"category", "work", "total"}, Periods: []string{"day"}, WorkCategories: []string{"Development"},
			Patterns: activity.PatternsConfig{Reload: time.Minute}, Cache: activity.CacheConfig{Size: 1000},
		}, batch.Config{Size: 500, Workers: 1, Linger: time.Millisecond}, activity.Dependencies{
			Records: w, Patterns: w, Boards: w, Scores: w, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon },
		})
		require.NoError(t, err)
		require.NoError(t, r.LoadPatterns(t.Context()))
		r.Start()
		w.calls = nil
		defer func() { require.NoError(t, r.Close(context.Background())) }()
		test(t, r)
	})
}

// at is the position of the n-th entry of the stream.
func at(n int) delivery.Position {
	return delivery.Position{Major: uint64(noon.Add(-time.Hour).UnixMilli() + int64(n)), Minor: 1}
}

// event is the n-th entry of the stream, delivered for the first time.
func event(n int, fields string) *message.Message {
	msg := message.NewMessage("", []byte(`{`+fields+`}`))
	msg.Metadata = message.Metadata{
		delivery.KeySource: stream, delivery.KeyPosition: at(n).String(), delivery.KeyPublishedAt: fmt.Sprint(at(n).Major),
	}
	return msg
}

// again is the same entry, delivered once more.
func again(msg *message.Message) *message.Message {
	next := msg.Copy()
	next.Metadata[delivery.KeyDeliveries] = fmt.Sprint(delivery.Of(msg).Deliveries + 1)
	return next
}

// deliver hands messages over together and returns their outcomes.
func (r *rig) deliver(messages ...*message.Message) []error {
	outcomes := make([]chan error, len(messages))
	for n, msg := range messages {
		outcomes[n] = make(chan error, 1)
		go func() { outcomes[n] <- r.Handle(msg) }()
		synctest.Wait()
	}
	errs := make([]error, len(messages))
	for n := range messages {
		errs[n] = <-outcomes[n]
	}
	return errs
}

// succeed delivers messages that must all succeed.
func (r *rig) succeed(messages ...*message.Message) {
	r.t.Helper()
	for n, err := range r.deliver(messages...) {
		require.NoError(r.t, err, "message %d", n)
	}
}

// seconds is what the total board of the day says.
func (r *rig) seconds() map[string]float64 { return r.board("total") }

func (r *rig) board(name string) map[string]float64 {
	return r.scores[activity.BoardKey{Board: name, Period: "2025-10-14"}]
}

// failOnce fails the first call at a point with an error.
func (r *rig) failOnce(point string, err error) {
	r.faults = func(p string) error {
		if p != point {
			return nil
		}
		r.faults = nil
		return err
	}
}

func requireInvalid(t *testing.T, err error, code string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	require.Equal(t, code, fault.Of(err).Code, "%v", err)
}

// The way of an event, from the stream to the boards.
func TestPipeline(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		r.succeed(
			event(1, `"userId":"u1","app":"Code","title":"main.go","duration":60,"session":2,"sessionMinutes":25,"timestamp":"2025-10-14T11:59:00+09:00"`),
			event(2, `"userId":"u2","app":"Chrome","url":"https://www.youtube.com/watch","duration":"30.5"`),
			event(3, `"userId":"u1","app":"Paint","duration":10`),
		)
		require.Equal(t, map[string]float64{"u1": 70, "u2": 30.5}, r.seconds())
		require.Equal(t, map[string]float64{"u1": 60}, r.board("work"))
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Development"))
		require.Equal(t, map[string]float64{"u2": 30.5}, r.board("Entertainment"))
		require.Equal(t, map[string]float64{"u1": 10}, r.board("Uncategorized"))

		code := activity.Content{App: "Code", Title: "main.go"}
		require.Equal(t, activity.CategorizedData{ID: code.ID(), Content: code, CategoryID: development, Source: stream, Position: at(1)}, r.contents[code])
		require.Len(t, r.logs, 3)
		for id, log := range r.logs {
			if log.User != "u1" || log.CategoryID != development {
				continue
			}
			require.Equal(t, activity.UsageLog{
				ID: id, User: "u1", CategorizedDataID: code.ID(), CategoryID: development, Session: 2, SessionDate: "2025-10-14", SessionMinutes: 25,
				Timestamp: noon.Add(-time.Minute), Duration: 60, Source: stream, Position: at(1),
			}, log)
		}
		require.Equal(t, []string{"FindContents", "AddContents", "AddLogs", "Apply"}, r.calls, "four calls for a batch, however large")

		r.calls = nil
		r.succeed(event(4, `"userId":"u1","app":"Paint","duration":1`), event(5, `"userId":"u3","app":"Code","title":"main.go","duration":1`))
		require.Equal(t, []string{"AddLogs", "Apply"}, r.calls, "content that is known costs nothing")
	})
}

// One bad message, wherever it stands, does not harm its neighbours.
func TestPipelineBadNeighbour(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		var messages []*message.Message
		for n := range 50 {
			messages = append(messages, event(n, `"userId":"u1","app":"Code","duration":1`))
		}
		messages[17] = event(17, `"userId":"u1","app":"Code","duration":"NaN"`)
		errs := r.deliver(messages...)
		requireInvalid(t, errs[17], "not_a_number")
		require.Equal(t, "decode", fault.Of(errs[17]).Stage)
		require.Len(t, slices.DeleteFunc(errs, func(err error) bool { return err == nil }), 1)
		require.Equal(t, map[string]float64{"u1": 49}, r.seconds())
	})
}

// Boards that are lost are counted anew from the records, and what comes again is still known.
func TestRecount(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		var messages []*message.Message
		for n := range 300 {
			messages = append(messages, event(n, fmt.Sprintf(`"userId":"u%d","app":"Code","duration":%d`, n%200, n)))
		}
		r.succeed(messages...)
		want := r.seconds()
		r.scores, r.markers, r.floors = newWorld().scores, newWorld().markers, newWorld().floors
		counted, err := r.Recount(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, 300, counted)
		require.Equal(t, want, r.seconds())
		r.succeed(again(messages[0]), again(messages[299]))
		require.Equal(t, want, r.seconds())
		r.succeed(event(300, `"userId":"u1","app":"Code","duration":1000`))
		require.Equal(t, want["u1"]+1000, r.seconds()["u1"])
	})
}

// A process dies with messages in hand, and their broker outlives its boards. What it had recorded is counted, and recognised when it
// comes again; what it had not is counted when it comes, though messages behind it were recorded.
func TestRecountOutlived(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		var messages []*message.Message
		for n := range 600 {
			messages = append(messages, event(n, fmt.Sprintf(`"userId":"u%d","app":"Code","duration":1`, n)))
		}
		var recorded []*message.Message
		for n, msg := range messages {
			if n < 100 || n%3 > 0 {
				recorded = append(recorded, msg)
			}
		}
		r.succeed(recorded...)
		r.scores, r.markers, r.floors = newWorld().scores, newWorld().markers, newWorld().floors
		floors := map[string]delivery.Position{stream: at(100)}
		require.NoError(t, r.RaiseFloor(t.Context(), stream, at(100)))
		counted, err := r.Recount(t.Context(), floors)
		require.NoError(t, err)
		require.Equal(t, len(recorded), counted)
		for n, msg := range messages {
			if n >= 50 {
				r.succeed(again(msg))
			}
		}
		want := map[string]float64{}
		for n := range messages {
			want[fmt.Sprintf("u%d", n)] = 1
		}
		require.Equal(t, want, r.seconds())
	})
}
