package activity

import (
	"context"

	"github.com/maypok86/otter/v2"

	"leat/handlers/batch"
)

// persist records the batch: one insert for content that is new, one for usage logs. Where a record exists, that record,
// not the event, goes on through the chain: a second classification may differ.
type persist struct {
	records Records
	cache   *otter.Cache[ID, verdict]
}

func (persist) Name() string { return "persist" }

func (p persist) Run(ctx context.Context, items []*batch.Item[*task]) error {
	fresh := make([]*batch.Item[*task], 0, len(items))
	for _, item := range items {
		if !item.Value.recorded {
			fresh = append(fresh, item)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := p.contents(ctx, fresh); err != nil {
		return err
	}
	return p.logs(ctx, fresh)
}

// contents makes sure that the content of every item has a document.
func (p persist) contents(ctx context.Context, items []*batch.Item[*task]) error {
	waiting := map[ID][]*task{}
	var data []CategorizedData
	for _, item := range items {
		t := item.Value
		if !t.verdict.document.IsZero() {
			continue
		}
		if waiting[t.contentID] == nil {
			data = append(data, t.categorizedData())
		}
		waiting[t.contentID] = append(waiting[t.contentID], t)
	}
	if len(data) == 0 {
		return nil
	}
	standing, err := p.records.AddContents(ctx, data)
	if err != nil {
		return err
	}
	for n, stored := range standing {
		id := data[n].Content.ID()
		for _, t := range waiting[id] {
			t.verdict.document = stored.ID
			if !t.verdict.pattern { // another worker may have known better
				t.verdict.category, t.verdict.llm = stored.CategoryID, stored.LLM
			}
		}
		p.cache.Set(id, waiting[id][0].verdict)
	}
	return nil
}

func (p persist) logs(ctx context.Context, items []*batch.Item[*task]) error {
	logs := make([]UsageLog, len(items))
	for n, item := range items {
		logs[n] = item.Value.usageLog()
	}
	standing, err := p.records.AddLogs(ctx, logs)
	if err != nil {
		return err
	}
	for n, item := range items {
		t := item.Value
		if standing[n].CategorizedDataID != t.verdict.document {
			item.Fail(conflict(t.ID, "content"))
			continue
		}
		t.settle(item, standing[n])
	}
	return nil
}
