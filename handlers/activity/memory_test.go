package activity_test

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"leat/handlers/activity"
	"leat/handlers/activity/boardstest"
	"leat/handlers/delivery"
)

// world is everything outside of the pipeline, in memory. It notes each call, and fails where a test asks for it.
type world struct {
	mu       sync.Mutex
	contents map[activity.Content]activity.CategorizedData
	logs     map[activity.ID]activity.UsageLog
	patterns []activity.CategoryPatterns
	ended    []activity.SessionScore

	scores  map[activity.BoardKey]map[string]float64
	markers map[activity.ID]activity.Marker
	floors  map[string]delivery.Position
	reports map[string]map[string]delivery.Position // by source and process

	calls  []string
	faults func(point string) error // asked at "Call/before" and "Call/after"; nil is no fault
}

func newWorld() *world {
	return &world{
		contents: map[activity.Content]activity.CategorizedData{}, logs: map[activity.ID]activity.UsageLog{},
		scores: map[activity.BoardKey]map[string]float64{}, markers: map[activity.ID]activity.Marker{}, floors: map[string]delivery.Position{},
		reports: map[string]map[string]delivery.Position{},
	}
}

// call runs an effect between the two points at which it may fail: before it happened, and after.
func (w *world) call(ctx context.Context, name string, effect func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, name)
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.faults == nil {
		effect()
		return nil
	}
	if err := w.faults(name + "/before"); err != nil {
		return err
	}
	effect()
	return w.faults(name + "/after")
}

func (w *world) FindContents(ctx context.Context, contents []activity.Content) (map[activity.Content]activity.CategorizedData, error) {
	found := map[activity.Content]activity.CategorizedData{}
	err := w.call(ctx, "FindContents", func() {
		for _, content := range contents {
			if data, ok := w.contents[content]; ok {
				found[content] = data
			}
		}
	})
	return found, err
}

func (w *world) AddContents(ctx context.Context, data []activity.CategorizedData) ([]activity.CategorizedData, error) {
	standing := make([]activity.CategorizedData, len(data))
	err := w.call(ctx, "AddContents", func() {
		for n, given := range data {
			stored, ok := w.contents[given.Content]
			switch {
			case ok && stored.CategoryID.IsZero():
				stored.CategoryID, stored.LLM = given.CategoryID, given.LLM
			case !ok:
				stored = given
				for _, other := range w.contents {
					if other.ID == given.ID {
						stored.ID = given.Content.ID()
					}
				}
			}
			w.contents[given.Content], standing[n] = stored, stored
		}
	})
	return standing, err
}

func (w *world) FindLogs(ctx context.Context, ids []activity.ID) (map[activity.ID]activity.UsageLog, error) {
	found := map[activity.ID]activity.UsageLog{}
	err := w.call(ctx, "FindLogs", func() {
		for _, id := range ids {
			if log, ok := w.logs[id]; ok && log.Position != (delivery.Position{}) {
				found[id] = log
			}
		}
	})
	return found, err
}

func (w *world) AddLogs(ctx context.Context, logs []activity.UsageLog) ([]activity.UsageLog, error) {
	standing := make([]activity.UsageLog, len(logs))
	err := w.call(ctx, "AddLogs", func() {
		for n, log := range logs {
			if w.logs[log.ID].Position == (delivery.Position{}) {
				w.logs[log.ID] = log
			}
			standing[n] = w.logs[log.ID]
		}
	})
	return standing, err
}

func (w *world) Logs(context.Context) iter.Seq2[activity.UsageLog, error] {
	return func(yield func(activity.UsageLog, error) bool) {
		for _, log := range w.logs {
			if log.Position != (delivery.Position{}) && !yield(log, nil) {
				return
			}
		}
	}
}

func (w *world) Patterns(ctx context.Context) (documents []activity.CategoryPatterns, err error) {
	err = w.call(ctx, "Patterns", func() { documents = slices.Clone(w.patterns) })
	return documents, err
}

func (w *world) SeedPatterns(ctx context.Context, patterns []activity.CategoryPatterns) error {
	return w.call(ctx, "SeedPatterns", func() {
		if len(w.patterns) == 0 {
			w.patterns = slices.Clone(patterns)
		}
	})
}

func (w *world) Publish(ctx context.Context, scores []activity.SessionScore) error {
	return w.call(ctx, "Publish", func() { w.ended = append(w.ended, scores...) })
}

func (w *world) Apply(ctx context.Context, counts []activity.Count) ([][]int, error) {
	counted := make([][]int, len(counts))
	err := w.call(ctx, "Apply", func() {
		for n, count := range counts {
			seen := map[activity.ID]bool{}
			for m, marker := range count.Markers {
				_, marked := w.markers[marker.ID]
				if marked || seen[marker.ID] || marker.Position.Less(w.floors[marker.Source]) {
					counted[n] = append(counted[n], m)
				}
				seen[marker.ID] = true
			}
			if len(counted[n]) == 0 {
				w.count(count)
			}
		}
	})
	return counted, err
}

func (w *world) count(count activity.Count) {
	for _, marker := range count.Markers {
		w.markers[marker.ID] = marker
	}
	for _, board := range count.Boards {
		if w.scores[board.Board] == nil {
			w.scores[board.Board] = map[string]float64{}
		}
		for _, score := range board.Scores {
			w.scores[board.Board][score.User] += score.Seconds
		}
		if !board.ExpireAt.IsZero() && board.ExpireAt.Before(time.Now()) {
			delete(w.scores, board.Board)
		}
	}
}

func (w *world) RaiseFloor(ctx context.Context, source string, floor delivery.Position) error {
	return w.report(ctx, "this process", source, floor)
}

func (w *world) report(ctx context.Context, process, source string, floor delivery.Position) error {
	return w.call(ctx, "RaiseFloor", func() {
		if w.reports[source] == nil {
			w.reports[source] = map[string]delivery.Position{}
		}
		w.reports[source][process] = floor
		for _, reported := range w.reports[source] {
			if reported.Less(floor) {
				floor = reported
			}
		}
		if !w.floors[source].Less(floor) {
			return
		}
		w.floors[source] = floor
		for id, marker := range w.markers {
			if marker.Source == source && marker.Position.Less(floor) {
				delete(w.markers, id)
			}
		}
	})
}

func (w *world) WithdrawFloor(ctx context.Context, source string) error {
	return w.call(ctx, "WithdrawFloor", func() { delete(w.reports[source], "this process") })
}

// neighbour is the world as another process reaches it.
type neighbour struct{ *world }

func (n neighbour) RaiseFloor(ctx context.Context, source string, floor delivery.Position) error {
	return n.report(ctx, "another process", source, floor)
}

func (n neighbour) WithdrawFloor(ctx context.Context, source string) error {
	return n.call(ctx, "WithdrawFloor", func() { delete(n.reports[source], "another process") })
}

func (w *world) Top(_ context.Context, board activity.BoardKey, n int) ([]activity.Standing, error) {
	var standings []activity.Standing
	for user, score := range w.scores[board] {
		standings = append(standings, activity.Standing{User: user, Seconds: math.Round(score*1000) / 1000})
	}
	slices.SortFunc(standings, func(a, b activity.Standing) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.User, b.User))
	})
	for n := range standings {
		standings[n].Rank = int64(n + 1)
		if n > 0 && standings[n].Seconds == standings[n-1].Seconds {
			standings[n].Rank = standings[n-1].Rank
		}
	}
	return standings[:max(0, min(n, len(standings)))], nil
}

func (w *world) Rank(_ context.Context, board activity.BoardKey, user string) (activity.Standing, bool, error) {
	milliseconds := func(seconds float64) float64 { return math.Round(seconds * 1000) }
	score, ok := w.scores[board][user]
	standing := activity.Standing{Rank: 1, User: user, Seconds: milliseconds(score) / 1000}
	for _, other := range w.scores[board] {
		if milliseconds(other) > milliseconds(score) {
			standing.Rank++
		}
	}
	if !ok {
		return activity.Standing{}, false, nil
	}
	return standing, true, nil
}

// The boards in memory do what those in Redis do, so that tests on them say something about those.
func TestMemoryBoards(t *testing.T) {
	boardstest.Run(t, func(*testing.T) boardstest.Store {
		w := newWorld()
		return boardstest.Store{Boards: w, Other: neighbour{w}}
	})
}
