package mongo

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// migrations holds the way to version 1 first.
var migrations = []migration{createIndexes}

type index struct {
	collection string
	fields     []string
	unique     bool
}

// createIndexes leads to version 1.
func createIndexes(ctx context.Context, db *mongo.Database) error {
	for _, index := range []index{
		{"categorized_data", []string{"app", "url", "title"}, true},
		{"categorized_data", []string{"source", "position"}, false},
		{"pomodoro_usage_log", []string{"source", "position"}, false},
		{"pomodoro_usage_log", []string{"userId", "timestamp"}, false},
	} {
		if err := index.create(ctx, db.Collection(index.collection)); err != nil {
			return err
		}
	}
	return nil
}

// create does nothing if there is an index on the same fields, whatever its name.
func (x index) create(ctx context.Context, collection *mongo.Collection) error {
	existing, err := collection.Indexes().ListSpecifications(ctx)
	if err != nil {
		return err
	}
	for _, spec := range existing {
		if x.same(spec) {
			return nil
		}
	}
	keys := bson.D{}
	for _, field := range x.fields {
		keys = append(keys, bson.E{Key: field, Value: 1})
	}
	opts := options.Index()
	if x.unique {
		opts.SetUnique(true)
	}
	_, err = collection.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: keys, Options: opts})
	if err != nil && x.unique && mongo.IsDuplicateKeyError(err) {
		return fmt.Errorf("%s holds documents with the same %v: remove all but one of each, then start again: %w", x.collection, x.fields, err)
	}
	if err != nil {
		return fmt.Errorf("index %v on %s: %w", x.fields, x.collection, err)
	}
	return nil
}

// same reports whether an index serves the same purpose.
func (x index) same(spec mongo.IndexSpecification) bool {
	if x.unique && (spec.Unique == nil || !*spec.Unique) {
		return false
	}
	elements, err := spec.KeysDocument.Elements()
	if err != nil {
		return false
	}
	fields := make([]string, len(elements))
	for i, element := range elements {
		if direction, ok := element.Value().AsInt64OK(); !ok || direction != 1 {
			return false
		}
		fields[i] = element.Key()
	}
	return slices.Equal(fields, x.fields)
}
