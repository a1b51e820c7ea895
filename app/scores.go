package app

import (
	"context"
	"strconv"

	"leat/adapters/pubsub"
	"leat/handlers/activity"
)

// scores publishes the sessions that ended as flat entries, which their consumer reads without Watermill.
type scores struct {
	publisher pubsub.FlatPublisher
	topic     string
}

// Publish implements activity.SessionScores.
func (s scores) Publish(ctx context.Context, ended []activity.SessionScore) error {
	entries := make([][]pubsub.Field, len(ended))
	for n, session := range ended {
		entries[n] = []pubsub.Field{
			{Name: "userId", Value: session.User},
			{Name: "sessionDate", Value: session.SessionDate},
			{Name: "session", Value: strconv.Itoa(session.Session)},
		}
	}
	return s.publisher.PublishFields(ctx, s.topic, entries...)
}
