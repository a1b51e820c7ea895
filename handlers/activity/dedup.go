package activity

import (
	"context"

	"leat/handlers/batch"
	"leat/handlers/fault"
)

// dedup spares work; it is not what keeps effects from happening twice. Within the batch, repeats of an event follow the
// first one. What was delivered before may have been recorded then: its record is looked up and goes on in its place.
type dedup struct {
	records Records
}

func (dedup) Name() string { return "dedup" }

func (d dedup) Run(ctx context.Context, items []*batch.Item[*task]) error {
	first := make(map[ID]*batch.Item[*task], len(items))
	var before []*batch.Item[*task]
	for _, item := range items {
		event := &item.Value.Event
		leader, repeated := first[event.ID]
		if repeated && sameEvent(&leader.Value.Event, event) {
			item.Follow(leader)
			continue
		}
		if !repeated {
			first[event.ID] = item
		}
		if event.Delivery.Deliveries > 1 {
			before = append(before, item)
		}
	}
	if len(before) == 0 {
		return nil
	}
	return d.lookUp(ctx, before)
}

func (d dedup) lookUp(ctx context.Context, items []*batch.Item[*task]) error {
	ids := make([]ID, len(items))
	for n, item := range items {
		ids[n] = item.Value.ID
	}
	logs, err := d.records.FindLogs(ctx, ids)
	if err != nil {
		return err
	}
	for _, item := range items {
		t := item.Value
		// A record of other content may only have another id for the same content: persist finds out.
		if log, ok := logs[t.ID]; ok && log.CategorizedDataID == t.contentID {
			t.settle(item, log)
		}
	}
	return nil
}

// sameEvent reports whether two events of one identity say the same.
func sameEvent(a, b *Event) bool {
	return a.User == b.User && a.Content == b.Content && a.Duration == b.Duration &&
		(!a.Dated || !b.Dated || a.Timestamp.Equal(b.Timestamp))
}

// settle makes the record that stands for an event the one that goes on through the chain. If it says something else
// than the event, the event fails.
func (t *task) settle(item *batch.Item[*task], log UsageLog) {
	if differs := t.differs(log); differs != "" {
		item.Fail(conflict(t.ID, differs))
		return
	}
	t.log, t.recorded = log, true
	// A redrive of a letter that says so counts the record even if the ack floor has passed it.
	item.Note("applied", "false")
}

// differs names what a record with the task's identity and content says otherwise, or nothing.
func (t *task) differs(log UsageLog) string {
	switch {
	case log.User != t.User:
		return "user"
	case log.Duration != t.Duration:
		return "duration"
	case t.Dated && !log.Timestamp.Equal(t.Timestamp):
		return "timestamp"
	}
	return ""
}

func conflict(id ID, what string) error {
	return fault.Invalidf("identity_conflict", "the identity %s is recorded already with another %s", id, what)
}
