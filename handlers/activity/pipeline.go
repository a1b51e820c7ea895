package activity

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"leat/handlers/activity/pattern"
	"leat/handlers/batch"
)

// Uncategorized is the category of content that nothing classifies.
const Uncategorized = "Uncategorized"

// Dependencies are the outside world of the pipeline.
type Dependencies struct {
	Records  Records
	Patterns PatternStore
	Boards   Boards
	Scores   SessionScores
	Observer batch.Observer
	Logger   *slog.Logger
	Now      func() time.Time
}

// Pipeline turns events into usage logs and leaderboards.
type Pipeline struct {
	*batch.Engine[*task]

	config   Config
	scoring  scoring
	records  Records
	patterns PatternStore
	boards   Boards
	logger   *slog.Logger
	rules    atomic.Pointer[rules]
}

// task is one event on its way through the chain.
type task struct {
	Event
	contentID ID       // Content.ID()
	verdict   verdict  // set by classify, completed by persist
	log       UsageLog // the record that stands, once recorded is true
	recorded  bool
}

// New returns the pipeline with its chain. LoadPatterns must have succeeded once before it handles messages.
func New(config Config, batches batch.Config, deps Dependencies) (*Pipeline, error) {
	scoring, err := newScoring(config)
	if err != nil {
		return nil, err
	}
	cache, err := otter.New(&otter.Options[ID, verdict]{MaximumSize: config.Cache.Size})
	if err != nil {
		return nil, fmt.Errorf("content cache: %w", err)
	}
	p := &Pipeline{
		config: config, scoring: scoring, logger: deps.Logger,
		records: deps.Records, patterns: deps.Patterns, boards: deps.Boards,
	}
	decoder := newDecoder(config, scoring.zone, deps.Now)
	p.Engine = batch.New(batch.Policy[*task]{Config: batches, Observer: deps.Observer}, decoder.decode,
		dedup{records: deps.Records},
		classify{records: deps.Records, rules: &p.rules, cache: cache},
		persist{records: deps.Records, cache: cache},
		session{scores: deps.Scores},
		aggregate{boards: deps.Boards, scoring: scoring, rules: &p.rules},
	)
	return p, nil
}

// LoadPatterns reads the patterns from the store, which it fills with the built-in ones if it is empty, and puts them
// into force without a pause. After an error the patterns before stay in force.
func (p *Pipeline) LoadPatterns(ctx context.Context) error {
	documents, err := p.patterns.Patterns(ctx)
	if err != nil {
		return err
	}
	if len(documents) == 0 {
		if err := p.patterns.SeedPatterns(ctx, builtin()); err != nil {
			return err
		}
		if documents, err = p.patterns.Patterns(ctx); err != nil {
			return err
		}
	}
	before := p.rules.Load()
	if before != nil && reflect.DeepEqual(before.documents, documents) {
		return nil
	}
	next := compile(documents, p.logger)
	if before != nil {
		next.generation = before.generation + 1
		p.logger.Info("patterns changed", "patterns", next.set.Len())
	}
	p.rules.Store(next)
	for _, category := range p.config.WorkCategories {
		if !slices.ContainsFunc(documents, func(d CategoryPatterns) bool { return d.Category == category }) {
			p.logger.Warn("no document of category_pattern has this work category", "work_category", category)
		}
	}
	return nil
}

// WatchPatterns loads the patterns at the configured interval, and whenever reload receives, until the context ends.
func (p *Pipeline) WatchPatterns(ctx context.Context, reload <-chan struct{}) {
	tick := time.NewTicker(p.config.Patterns.Reload)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-reload:
		}
		if err := p.LoadPatterns(ctx); err != nil && ctx.Err() == nil {
			p.logger.Warn("patterns not reloaded; those before stay in force", "error", err)
		}
	}
}

func builtin() []CategoryPatterns {
	categories := pattern.Builtin()
	documents := make([]CategoryPatterns, len(categories))
	for n, c := range categories {
		documents[n] = CategoryPatterns{ID: CategoryID(c.Name), Category: c.Name, Apps: c.Apps, Domains: c.Domains, Titles: c.Titles}
	}
	return documents
}

func compile(documents []CategoryPatterns, logger *slog.Logger) *rules {
	r := &rules{documents: documents, names: make(map[ID]string, len(documents)), uncategorized: CategoryID(Uncategorized)}
	categories := make([]pattern.Category, len(documents))
	for n, d := range documents {
		categories[n] = pattern.Category{Name: d.Category, Apps: d.Apps, Domains: d.Domains, Titles: d.Titles}
		r.ids = append(r.ids, d.ID)
		r.names[d.ID] = d.Category
		if d.Category == Uncategorized {
			r.uncategorized = d.ID
		}
	}
	set, problems := pattern.Compile(categories)
	for _, problem := range problems {
		logger.Warn("pattern left out", "problem", problem.String())
	}
	r.set = set
	return r
}
