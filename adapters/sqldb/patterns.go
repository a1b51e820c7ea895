package sqldb

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"leat/handlers/activity"
)

var insertPatterns = &insertion{
	table:    "category_pattern",
	columns:  []string{"id", "category", "app_patterns", "domain_patterns", "title_patterns"},
	types:    []string{"text", "text", "jsonb", "jsonb", "jsonb"},
	conflict: "ON CONFLICT (id) DO NOTHING",
}

// Patterns implements activity.PatternStore.
func (s *Store) Patterns(ctx context.Context) ([]activity.CategoryPatterns, error) {
	var patterns []activity.CategoryPatterns
	err := s.within(ctx, "read category patterns", func(ctx context.Context) error {
		rows, err := s.read.QueryContext(ctx,
			"SELECT id, category, app_patterns, domain_patterns, title_patterns FROM category_pattern")
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id, apps, domains, titles string
			var pattern activity.CategoryPatterns
			if err := rows.Scan(&id, &pattern.Category, &apps, &domains, &titles); err != nil {
				return err
			}
			if err := parsePatterns(&pattern, id, apps, domains, titles); err != nil {
				s.logger.Warn("category left out", "table", "category_pattern", "category", pattern.Category, "error", err)
				continue
			}
			patterns = append(patterns, pattern)
		}
		return rows.Err()
	})
	slices.SortFunc(patterns, func(a, b activity.CategoryPatterns) int { // the same order whatever the database's collation
		return cmp.Or(strings.Compare(a.Category, b.Category), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return patterns, err
}

// parsePatterns reads what a user may have edited.
func parsePatterns(pattern *activity.CategoryPatterns, id, apps, domains, titles string) (err error) {
	if pattern.ID, err = activity.ParseID(id); err != nil {
		return err
	}
	for _, list := range []struct {
		name, text string
		to         *[]string
	}{{"app_patterns", apps, &pattern.Apps}, {"domain_patterns", domains, &pattern.Domains}, {"title_patterns", titles, &pattern.Titles}} {
		if err := json.Unmarshal([]byte(list.text), list.to); err != nil {
			return fmt.Errorf("%s is not a JSON array of texts: %w", list.name, err)
		}
	}
	return nil
}

// SeedPatterns implements activity.PatternStore. It inserts all documents or none.
func (s *Store) SeedPatterns(ctx context.Context, patterns []activity.CategoryPatterns) error {
	type pattern = activity.CategoryPatterns
	return s.within(ctx, "seed category patterns", func(ctx context.Context) error {
		var filled bool
		if err := s.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM category_pattern)").Scan(&filled); err != nil || filled {
			return err
		}
		_, err := s.dialect.insert(ctx, insertPatterns, []column{
			pickIDs(patterns, func(p *pattern) activity.ID { return p.ID }),
			pick(patterns, func(p *pattern) string { return p.Category }),
			pick(patterns, func(p *pattern) string { return list(p.Apps) }),
			pick(patterns, func(p *pattern) string { return list(p.Domains) }),
			pick(patterns, func(p *pattern) string { return list(p.Titles) }),
		}, len(patterns))
		return err
	})
}

// list is a JSON array, never null.
func list(patterns []string) string {
	if len(patterns) == 0 {
		return "[]"
	}
	text, _ := json.Marshal(patterns) // texts always marshal
	return string(text)
}
