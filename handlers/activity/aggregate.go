package activity

import (
	"context"
	"sync/atomic"
	"time"

	"leat/handlers/batch"
)

// maxScores bounds one atomic step, scores and markers together: Redis does nothing else meanwhile, and takes about
// 2.4 µs a score and 2 µs a marker, so that a step takes about a millisecond.
const maxScores = 400

// aggregate counts the records of the batch on the leaderboards, each exactly once: what the boards say is counted
// already is left out, and the rest is tried again.
type aggregate struct {
	boards  Boards
	scoring scoring
	rules   *atomic.Pointer[rules]
}

func (aggregate) Name() string { return "aggregate" }

func (a aggregate) Run(ctx context.Context, items []*batch.Item[*task]) error {
	rules := a.rules.Load()
	for len(items) > 0 {
		counts, members := a.counts(items, rules)
		counted, err := a.boards.Apply(ctx, counts)
		if err != nil {
			return err
		}
		items = nil
		for n, already := range counted {
			if len(already) == 0 {
				continue
			}
			skip := make(map[int]bool, len(already))
			for _, m := range already {
				skip[m] = true
			}
			for m, item := range members[n] {
				if !skip[m] {
					items = append(items, item)
				}
			}
		}
	}
	return nil
}

// counts adds up the items in steps of bounded size, and tells which items each step is made of.
func (a aggregate) counts(items []*batch.Item[*task], rules *rules) ([]Count, [][]*batch.Item[*task]) {
	var counts []Count
	var members [][]*batch.Item[*task]
	tally := newTally(a.scoring)
	begin := 0
	for n, item := range items {
		log := &item.Value.log
		tally.add(log, rules.name(log.CategoryID))
		if tally.scores+n+1-begin >= maxScores || n == len(items)-1 {
			step := items[begin : n+1]
			markers := make([]Marker, len(step))
			for m, item := range step {
				log := &item.Value.log
				markers[m] = Marker{ID: log.ID, Source: log.Source, Position: log.Position}
			}
			counts = append(counts, Count{Markers: markers, Boards: tally.boards()})
			members = append(members, step)
			tally = newTally(a.scoring)
			begin = n + 1
		}
	}
	return counts, members
}

// tally adds up usage logs per board and user.
type tally struct {
	scoring scoring
	columns map[column][]int // indices into sums of the boards that a day and category count for
	index   map[BoardKey]int
	sums    []boardSum
	scores  int // pairs of board and user that have a score
}

type column struct {
	category string
	day      time.Time
}

type boardSum struct {
	scoredBoard
	users map[string]float64
}

func newTally(s scoring) *tally {
	return &tally{scoring: s, columns: map[column][]int{}, index: map[BoardKey]int{}}
}

func (t *tally) add(log *UsageLog, category string) {
	if log.Duration == 0 {
		return
	}
	for _, n := range t.column(column{category, t.scoring.day(log.Timestamp)}) {
		users := t.sums[n].users
		before := len(users)
		users[log.User] += log.Duration
		t.scores += len(users) - before
	}
}

func (t *tally) column(c column) []int {
	if indices, ok := t.columns[c]; ok {
		return indices
	}
	var indices []int
	for _, board := range t.scoring.boards(c.category, c.day) {
		n, ok := t.index[board.BoardKey]
		if !ok {
			n = len(t.sums)
			t.index[board.BoardKey] = n
			t.sums = append(t.sums, boardSum{board, map[string]float64{}})
		}
		indices = append(indices, n)
	}
	t.columns[c] = indices
	return indices
}

func (t *tally) boards() []BoardCount {
	boards := make([]BoardCount, len(t.sums))
	for n, sum := range t.sums {
		scores := make([]Score, 0, len(sum.users))
		for user, seconds := range sum.users {
			scores = append(scores, Score{user, seconds})
		}
		boards[n] = BoardCount{Board: sum.BoardKey, ExpireAt: sum.expireAt, Scores: scores}
	}
	return boards
}
