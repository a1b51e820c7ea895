package activity

import (
	"context"

	"leat/handlers/delivery"
)

// Recount fills empty boards from the records, and raises the ack floor of each source above all of its records, so
// that a repeat of any of them is recognised. It returns how many records it counted. Nothing else may write
// to the records or the boards meanwhile: it is for a start with a Redis that keeps nothing.
func (p *Pipeline) Recount(ctx context.Context) (int, error) {
	tally, rules := newTally(p.scoring), p.rules.Load()
	floors := map[string]delivery.Position{}
	counted := 0
	for log, err := range p.records.Logs(ctx) {
		if err != nil {
			return counted, err
		}
		tally.add(&log, rules.name(log.CategoryID))
		if next := log.Position.Next(); floors[log.Source].Less(next) {
			floors[log.Source] = next
		}
		counted++
		if tally.scores >= maxScores {
			if _, err := p.boards.Apply(ctx, []Count{{Boards: tally.take()}}); err != nil {
				return counted, err
			}
		}
	}
	if _, err := p.boards.Apply(ctx, []Count{{Boards: tally.take()}}); err != nil {
		return counted, err
	}
	for source, floor := range floors {
		if err := p.boards.RaiseFloor(ctx, source, floor); err != nil {
			return counted, err
		}
	}
	return counted, nil
}
