package app

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/httpapi"
	"leat/adapters/pubsub/gochannel"
	"leat/config"
	"leat/handlers/activity"
	"leat/handlers/fault"
)

// ingest publishes what comes in through HTTP, by the rules of leat publish.
type ingest struct {
	check     activity.Checker
	longest   int64 // bytes of an event
	publisher message.Publisher
	topic     string
}

func newActivityIngest(cfg config.Activity, publisher message.Publisher) (*ingest, error) {
	check, err := activity.NewChecker(cfg.Config, time.Now)
	if err != nil {
		return nil, err
	}
	return &ingest{check: check, longest: cfg.MaxPayload, publisher: publisher, topic: cfg.Topic}, nil
}

// take implements httpapi.Ingest. The ids are the UUIDs of the messages.
func (i *ingest) take(ctx context.Context, batch httpapi.Batch) ([]string, error) {
	messages, err := i.messages(ctx, batch)
	if err != nil {
		return nil, err
	}
	if err := i.publisher.Publish(i.topic, messages...); err != nil {
		if detail := fault.Of(err); detail.Code == gochannel.CodeFull {
			return nil, &fault.Error{Kind: detail.Kind, Code: httpapi.CodeBusy, Err: err}
		}
		return nil, err
	}
	ids := make([]string, len(messages))
	for n, msg := range messages {
		ids[n] = msg.UUID
	}
	return ids, nil
}

// messages makes a message of every event, or says which are wrong.
func (i *ingest) messages(ctx context.Context, batch httpapi.Batch) ([]*message.Message, error) {
	rules := rules{"event", i.check, i.longest}
	if batch.Unchecked {
		rules.longest = max(rules.longest, longestUnchecked)
	}
	var wrong httpapi.Mistakes
	messages := make([]*message.Message, len(batch.Events))
	for n, text := range batch.Events {
		out, problem := rules.judge(text, int64(len(text)))
		if problem == nil && len(out.payload) == 0 {
			problem = fmt.Errorf("the event is empty")
		}
		if problem != nil && (!batch.Unchecked || len(out.payload) == 0) {
			wrong = append(wrong, httpapi.Mistake{Index: n, Err: problem})
			continue
		}
		messages[n] = message.NewMessageWithContext(ctx, out.named(batch.Key, n), out.payload)
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return messages, nil
}

// named is the UUID of an event that came as the n-th under a key. The key makes a request that is sent again carry the same
// events, even where they do not say when they were.
func (l outgoing) named(key string, n int) string {
	if key == "" || l.event.Dated {
		return l.uuid()
	}
	return uuidOf("leat ingest", []byte(key), []byte(strconv.Itoa(n)), l.payload)
}
