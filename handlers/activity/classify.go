package activity

import (
	"context"
	"sync/atomic"

	"github.com/maypok86/otter/v2"

	"leat/handlers/activity/pattern"
	"leat/handlers/batch"
)

// classify finds the category of each distinct content of the batch: in the cache, else by pattern, else, for what no
// pattern matches, in categorized_data with one query. What nothing knows is Uncategorized.
type classify struct {
	records Records
	rules   *atomic.Pointer[rules]
	cache   *otter.Cache[ID, verdict]
}

// verdict is what is known of a content.
type verdict struct {
	generation uint64 // of the rules that gave it
	document   ID     // in categorized_data; zero until it is known to be stored
	category   ID
	pattern    bool // a pattern decided; otherwise the document did, or nothing
	llm        bool
}

// rules are the patterns that are in force. They are never changed, only replaced.
type rules struct {
	generation    uint64
	documents     []CategoryPatterns
	set           *pattern.Set
	ids           []ID // by index of the category in the set
	names         map[ID]string
	uncategorized ID
}

// name returns the category's name. A category whose document is gone counts as Uncategorized.
func (r *rules) name(category ID) string {
	if name, ok := r.names[category]; ok {
		return name
	}
	return Uncategorized
}

func (classify) Name() string { return "classify" }

func (c classify) Run(ctx context.Context, items []*batch.Item[*task]) error {
	rules := c.rules.Load()
	unmatched := map[ID][]*task{}
	var contents []Content
	for _, item := range items {
		t := item.Value
		if t.recorded {
			continue
		}
		known, ok := c.cache.GetIfPresent(t.contentID)
		if ok && known.generation == rules.generation {
			t.verdict = known
			continue
		}
		t.verdict = verdict{generation: rules.generation, document: known.document, category: rules.uncategorized}
		if match, ok := rules.set.Match(t.Content.App, t.Content.Title, t.Content.URL); ok {
			t.verdict.category, t.verdict.pattern = rules.ids[match.Category], true
			c.cache.Set(t.contentID, t.verdict)
			continue
		}
		if unmatched[t.contentID] == nil {
			contents = append(contents, t.Content)
		}
		unmatched[t.contentID] = append(unmatched[t.contentID], t)
	}
	if len(contents) == 0 {
		return nil
	}
	return c.lookUp(ctx, contents, unmatched)
}

func (c classify) lookUp(ctx context.Context, contents []Content, unmatched map[ID][]*task) error {
	found, err := c.records.FindContents(ctx, contents)
	if err != nil {
		return err
	}
	for id, tasks := range unmatched {
		verdict := tasks[0].verdict
		if data, ok := found[tasks[0].Content]; ok && !data.CategoryID.IsZero() {
			verdict.document, verdict.category, verdict.llm = data.ID, data.CategoryID, data.LLM
		}
		for _, t := range tasks {
			t.verdict = verdict
		}
		c.cache.Set(id, verdict)
	}
	return nil
}
