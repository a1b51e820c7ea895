package mongo

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"leat/handlers/activity"
)

// Patterns implements activity.PatternStore.
func (s *Store) Patterns(ctx context.Context) ([]activity.CategoryPatterns, error) {
	var patterns []activity.CategoryPatterns
	err := s.within(ctx, "read category patterns", func(ctx context.Context) error {
		cursor, err := s.patterns.Find(ctx, bson.D{})
		if err != nil {
			return err
		}
		defer func() { _ = cursor.Close(context.WithoutCancel(ctx)) }()
		for cursor.Next(ctx) {
			var d patternDocument
			if err := cursor.Decode(&d); err != nil { // a user may have edited it
				s.logger.Warn("category left out", "collection", "category_pattern", "_id", cursor.Current.Lookup("_id").String(), "error", err)
				continue
			}
			patterns = append(patterns, activity.CategoryPatterns{ID: activity.ID(d.ID), Category: d.Category, Apps: d.Apps, Domains: d.Domains, Titles: d.Titles})
		}
		return cursor.Err()
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(patterns, func(a, b activity.CategoryPatterns) int {
		return cmp.Or(strings.Compare(a.Category, b.Category), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return patterns, nil
}

// SeedPatterns implements activity.PatternStore. The documents go to the server in one command, but a crash of the
// server within it may leave a part of them.
func (s *Store) SeedPatterns(ctx context.Context, patterns []activity.CategoryPatterns) error {
	return s.within(ctx, "seed category patterns", func(ctx context.Context) error {
		cursor, err := s.patterns.Find(ctx, bson.D{}, options.Find().SetLimit(1))
		if err != nil {
			return err
		}
		filled := cursor.Next(ctx)
		if err := cmp.Or(cursor.Err(), cursor.Close(ctx)); err != nil || filled || len(patterns) == 0 {
			return err
		}
		documents := make([]patternDocument, len(patterns))
		for i, p := range patterns {
			documents[i] = patternDocument{
				ID: bson.ObjectID(p.ID), Category: p.Category,
				Apps: list(p.Apps), Domains: list(p.Domains), Titles: list(p.Titles),
			}
		}
		_, err = s.patterns.InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
		_, err = duplicates(err)
		return err
	})
}

// list is an array, never null.
func list(patterns []string) []string {
	if patterns == nil {
		return []string{}
	}
	return patterns
}
