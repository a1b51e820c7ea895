package activity

import (
	"context"

	"leat/handlers/batch"
)

// session announces the sessions that ended, once their last event is recorded. An event that is delivered again
// may announce its session again: whoever computes the score must not mind.
type session struct {
	scores SessionScores
}

func (session) Name() string { return "session" }

func (s session) Run(ctx context.Context, items []*batch.Item[*task]) error {
	var ended []SessionScore
	for _, item := range items {
		if event := &item.Value.Event; event.IsEnd {
			ended = append(ended, SessionScore{User: event.User, SessionDate: event.SessionDate, Session: event.Session})
		}
	}
	if len(ended) == 0 {
		return nil
	}
	return s.scores.Publish(ctx, ended)
}
