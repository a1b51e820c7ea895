package activity_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
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

// The record, not a second classification, says what an event counts for.
func TestClassifiedDifferentlyTheSecondTime(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		msg := event(1, `"userId":"u1","app":"Code","duration":60`)
		r.failOnce("Apply/before", fault.Unavailablef("down"))
		require.Error(t, r.deliver(msg)[0])

		r.patterns = []activity.CategoryPatterns{{ID: entertainment, Category: "Entertainment", Apps: []string{"code"}}, {ID: development, Category: "Development"}}
		require.NoError(t, r.LoadPatterns(t.Context()))
		r.succeed(msg) // as a broker would that does not count deliveries
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Development"))
		require.Empty(t, r.board("Entertainment"))
		for _, log := range r.logs {
			require.Equal(t, development, log.CategoryID)
		}
	})
}

// Patterns that change are in force for what comes, and change nothing of what was.
func TestPatternsChange(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		r.succeed(event(1, `"userId":"u1","app":"Code","duration":60`), event(2, `"userId":"u1","app":"Paint","duration":1`))
		reload, ctx := make(chan struct{}), t.Context()
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { r.WatchPatterns(ctx, reload); close(done) }()

		r.mu.Lock()
		r.patterns = []activity.CategoryPatterns{{ID: entertainment, Category: "Entertainment", Apps: []string{"code", "paint"}}, {ID: development, Category: "Development"}}
		r.mu.Unlock()
		reload <- struct{}{}
		synctest.Wait()
		r.succeed(event(3, `"userId":"u1","app":"Code","duration":7`), event(4, `"userId":"u1","app":"Paint","duration":2`))
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Development"))
		require.Equal(t, map[string]float64{"u1": 9}, r.board("Entertainment"))
		require.Equal(t, map[string]float64{"u1": 1}, r.board("Uncategorized"))

		r.failOnce("Patterns/before", fault.Unavailablef("down"))
		reload <- struct{}{}
		synctest.Wait()
		r.succeed(event(5, `"userId":"u1","app":"Code","duration":1`))
		require.Equal(t, map[string]float64{"u1": 10}, r.board("Entertainment"), "those before stay in force")

		r.mu.Lock()
		r.patterns[0].Apps = nil
		r.mu.Unlock()
		time.Sleep(time.Minute) // the interval
		synctest.Wait()
		r.succeed(event(6, `"userId":"u2","app":"vim","duration":1`))
		require.Equal(t, map[string]float64{"u1": 1, "u2": 1}, r.board("Uncategorized"))
		cancel()
		<-done
	})
}

// An empty store is filled with the built-in patterns.
func TestBuiltinPatterns(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		r.patterns = nil
		require.NoError(t, r.LoadPatterns(t.Context()))
		require.Contains(t, r.calls, "SeedPatterns")
		r.succeed(event(1, `"userId":"u1","url":"https://github.com/golang/go","duration":60`))
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Development"))
	})
}

// What no pattern matches is what categorized_data says it is.
func TestKnownContent(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		paint, code := activity.Content{App: "Paint"}, activity.Content{App: "Code"}
		own := activity.ID{1, 2, 3}
		r.contents[paint] = activity.CategorizedData{ID: own, Content: paint, CategoryID: entertainment, LLM: true}
		r.contents[code] = activity.CategorizedData{ID: code.ID(), Content: code, CategoryID: entertainment}
		r.succeed(event(1, `"userId":"u1","app":"Paint","duration":60`), event(2, `"userId":"u2","app":"Code","duration":5`))
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Entertainment"))
		require.Equal(t, map[string]float64{"u2": 5}, r.board("Development"), "patterns decide first")
		for _, log := range r.logs {
			if log.User == "u1" {
				require.Equal(t, own, log.CategorizedDataID, "the document that the producer created")
			}
		}
		r.succeed(again(event(1, `"userId":"u1","app":"Paint","duration":60`)))
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Entertainment"))
	})
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
		counted, err := r.Recount(t.Context())
		require.NoError(t, err)
		require.Equal(t, 300, counted)
		require.Equal(t, want, r.seconds())
		r.succeed(again(messages[0]), again(messages[299]))
		require.Equal(t, want, r.seconds())
		r.succeed(event(300, `"userId":"u1","app":"Code","duration":1000`))
		require.Equal(t, want["u1"]+1000, r.seconds()["u1"])
	})
}
