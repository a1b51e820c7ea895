package activity

import (
	"context"
	"sync/atomic"

	"leat/handlers/batch"
)

// maxScores bounds one atomic step, scores and markers together: Redis does nothing else meanwhile, and takes about
// 2.7 µs a score and 1.5 µs a marker, so that a step takes about a millisecond.
const maxScores = 320

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
			counts = append(counts, Count{Markers: markers, Boards: tally.take()})
			members = append(members, step)
			begin = n + 1
		}
	}
	return counts, members
}
