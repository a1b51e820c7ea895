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
	}
	for _, board := range tally.boards() {
		for _, part := range split(board, maxScores) {
			if _, err := p.boards.Apply(ctx, []Count{{Boards: []BoardCount{part}}}); err != nil {
				return counted, err
			}
		}
	}
	for source, floor := range floors {
		if err := p.boards.RaiseFloor(ctx, source, floor); err != nil {
			return counted, err
		}
	}
	return counted, nil
}

// split cuts a board into parts of at most n scores.
func split(board BoardCount, n int) []BoardCount {
	var parts []BoardCount
	for scores := board.Scores; len(scores) > 0; {
		part := board
		part.Scores = scores[:min(n, len(scores))]
		scores = scores[len(part.Scores):]
		parts = append(parts, part)
	}
	return parts
}
