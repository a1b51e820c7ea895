package activity

import "time"

// tally adds up usage logs per board and user, for one atomic step at a time. A user is looked up once a log; the boards
// then have a place for each user of the step.
type tally struct {
	scoring scoring
	columns map[column][]int // indices into sums of the boards that a day and category count for
	index   map[BoardKey]int
	sums    []boardSum
	users   map[string]int // index into names and into the seconds of each board
	names   []string
	scores  int // pairs of board and user that have a score
}

type column struct {
	category string
	day      time.Time
}

type boardSum struct {
	scoredBoard
	seconds []float64 // by user; 0 is no score
	scores  int
}

func newTally(s scoring) *tally {
	return &tally{scoring: s, columns: map[column][]int{}, index: map[BoardKey]int{}, users: map[string]int{}}
}

// add adds a log, and the time that it says to all of its boards.
func (t *tally) add(log *UsageLog, category string) {
	if log.Duration == 0 {
		return
	}
	user, ok := t.users[log.User]
	if !ok {
		user = len(t.names)
		t.users[log.User] = user
		t.names = append(t.names, log.User)
	}
	for _, n := range t.column(column{category, t.scoring.day(log.Timestamp)}) {
		sum := &t.sums[n]
		for len(sum.seconds) <= user {
			sum.seconds = append(sum.seconds, 0)
		}
		if sum.seconds[user] == 0 {
			sum.scores++
			t.scores++
		}
		sum.seconds[user] += log.Duration
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
			t.sums = append(t.sums, boardSum{scoredBoard: board})
		}
		indices = append(indices, n)
	}
	t.columns[c] = indices
	return indices
}

// take returns what was added up since the last time, and begins anew.
func (t *tally) take() []BoardCount {
	boards := make([]BoardCount, 0, len(t.sums))
	all := make([]Score, 0, t.scores)
	for n := range t.sums {
		sum := &t.sums[n]
		if sum.scores == 0 {
			continue
		}
		begin := len(all)
		for user, seconds := range sum.seconds {
			if seconds != 0 {
				all = append(all, Score{t.names[user], seconds})
			}
		}
		boards = append(boards, BoardCount{Board: sum.BoardKey, ExpireAt: sum.expireAt, Scores: all[begin:len(all):len(all)]})
		sum.seconds, sum.scores = sum.seconds[:0], 0
	}
	clear(t.users)
	t.names, t.scores = t.names[:0], 0
	return boards
}
