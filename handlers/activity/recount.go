package activity

import (
	"context"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// Recount fills empty boards from the records, so that a repeat of any of them is recognised. It returns how many records it
// counted. Nothing else may write to the records or the boards meanwhile: it is for a start with a Redis that keeps nothing.
//
// Floors has the sources whose messages outlived the boards, each with the position below which its broker has nothing unacked.
// From there on every record gets a marker of its own, since messages between them may never have been handled. Of any other
// source nothing new comes at the position of a record: its ack floor rises above all of them.
func (p *Pipeline) Recount(ctx context.Context, floors map[string]delivery.Position) (int, error) {
	r := recount{boards: p.boards, tally: newTally(p.scoring)}
	rules := p.rules.Load()
	over := map[string]delivery.Position{}
	counted := 0
	for log, err := range p.records.Logs(ctx) {
		if err != nil {
			return counted, err
		}
		floor, outlived := floors[log.Source]
		switch next := log.Position.Next(); {
		case outlived && !log.Position.Less(floor):
			r.markers = append(r.markers, Marker{ID: log.ID, Source: log.Source, Position: log.Position})
		case !outlived && over[log.Source].Less(next):
			over[log.Source] = next
		}
		r.tally.add(&log, rules.name(log.CategoryID))
		counted++
		if r.tally.scores+len(r.markers) >= maxScores {
			if err := r.apply(ctx); err != nil {
				return counted, err
			}
		}
	}
	if err := r.apply(ctx); err != nil {
		return counted, err
	}
	for source, floor := range over {
		if err := p.boards.RaiseFloor(ctx, source, floor); err != nil {
			return counted, err
		}
	}
	return counted, nil
}

// recount is one step of a recount, as it is added up.
type recount struct {
	boards  Boards
	tally   *tally
	markers []Marker
}

func (r *recount) apply(ctx context.Context) error {
	counted, err := r.boards.Apply(ctx, []Count{{Boards: r.tally.take(), Markers: r.markers}})
	if err == nil && len(counted[0]) > 0 {
		err = fault.Internalf("recount", "%d records are counted already: something else writes to the boards", len(counted[0]))
	}
	r.markers = nil
	return err
}
