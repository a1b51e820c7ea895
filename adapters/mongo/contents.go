package mongo

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

// A query by content names at most so many contents and bytes; a document, and so a query, may have 16 MiB.
const (
	queryContents = 500
	queryBytes    = 4 << 20
)

// known is what the database holds of some contents.
type known map[activity.Content]activity.CategorizedData

// FindContents implements activity.Records. It is one query if everything is known under the id of its content.
func (s *Store) FindContents(ctx context.Context, contents []activity.Content) (map[activity.Content]activity.CategorizedData, error) {
	found := make(known, len(contents))
	if len(contents) == 0 {
		return found, nil
	}
	return found, s.within(ctx, "find categorized data", func(ctx context.Context) error { return s.findContents(ctx, contents, found) })
}

// findContents asks by id, then by content for what is not known under that id.
func (s *Store) findContents(ctx context.Context, contents []activity.Content, found known) error {
	ids := make([]bson.ObjectID, len(contents))
	for i, content := range contents {
		ids[i] = bson.ObjectID(content.ID())
	}
	if err := s.readContents(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}, found); err != nil {
		return err
	}
	return s.findByContent(ctx, contents, found)
}

// findByContent asks for those contents that are not found yet.
func (s *Store) findByContent(ctx context.Context, contents []activity.Content, found known) error {
	var triples bson.A
	size := 0
	ask := func() error {
		if len(triples) == 0 {
			return nil
		}
		err := s.readContents(ctx, bson.D{{Key: "$or", Value: triples}}, found)
		triples, size = triples[:0], 0
		return err
	}
	for _, content := range contents {
		if _, ok := found[content]; ok {
			continue
		}
		bytes := len(content.App) + len(content.URL) + len(content.Title)
		if len(triples) == queryContents || size+bytes > queryBytes {
			if err := ask(); err != nil {
				return err
			}
		}
		triples = append(triples, bson.D{part("app", content.App), part("url", content.URL), part("title", content.Title)})
		size += bytes
	}
	return ask()
}

// part matches a field of the content; a producer leaves an empty one out or writes null.
func part(field, value string) bson.E {
	if value == "" {
		return bson.E{Key: field, Value: bson.D{{Key: "$in", Value: bson.A{"", nil}}}}
	}
	return bson.E{Key: field, Value: value}
}

func (s *Store) readContents(ctx context.Context, filter bson.D, found known) error {
	cursor, err := s.contents.Find(ctx, filter)
	if err != nil {
		return err
	}
	defer func() { _ = cursor.Close(ctx) }()
	for cursor.Next(ctx) {
		var document contentDocument
		err := cursor.Decode(&document)
		var data activity.CategorizedData
		if err == nil {
			data, err = document.data()
		}
		if err != nil {
			return fmt.Errorf("document %v of categorized_data: %w", cursor.Current.Lookup("_id"), err)
		}
		found[data.Content] = data
	}
	return cursor.Err()
}

// AddContents implements activity.Records. It is one insert if nothing of the data is there and all have an app, a
// url and a title; contents with an empty part are looked up first, since no unique index sees that a field that a
// producer left out and one that is empty are the same.
func (s *Store) AddContents(ctx context.Context, data []activity.CategorizedData) ([]activity.CategorizedData, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var standing []activity.CategorizedData
	err := s.within(ctx, "add categorized data", func(ctx context.Context) (err error) {
		standing, err = s.addContents(ctx, data)
		return err
	})
	return standing, err
}

func (s *Store) addContents(ctx context.Context, data []activity.CategorizedData) ([]activity.CategorizedData, error) {
	there := make(known)
	if err := s.findByContent(ctx, contentsOf(data, sparse), there); err != nil {
		return nil, err
	}
	standing := slices.Clone(data)
	var fresh []*activity.CategorizedData
	for i := range standing {
		if _, ok := there[standing[i].Content]; !ok {
			fresh = append(fresh, &standing[i])
		}
	}
	if err := s.insertContents(ctx, fresh, there); err != nil {
		return nil, err
	}
	if err := s.classify(ctx, data, there); err != nil {
		return nil, err
	}
	for i := range standing {
		if stored, ok := there[standing[i].Content]; ok {
			standing[i] = stored
		}
	}
	return standing, nil
}

// insertContents inserts what it can and reads into there what is there already. What finds its id taken by other
// content gets the id of its content.
func (s *Store) insertContents(ctx context.Context, fresh []*activity.CategorizedData, there known) error {
	for round := 0; len(fresh) > 0; round++ {
		documents := make([]contentDocument, len(fresh))
		for i, data := range fresh {
			if data.ID.IsZero() || round > 0 {
				data.ID = data.Content.ID()
			}
			documents[i] = fromContent(*data)
		}
		_, err := s.contents.InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
		indices, err := duplicates(err)
		if err != nil || len(indices) == 0 {
			return err
		}
		refused := make([]*activity.CategorizedData, len(indices))
		contents := make([]activity.Content, len(indices))
		for n, i := range indices {
			refused[n], contents[n] = fresh[i], fresh[i].Content
		}
		if err := s.findContents(ctx, contents, there); err != nil {
			return err
		}
		fresh = slices.DeleteFunc(refused, func(d *activity.CategorizedData) bool { _, ok := there[d.Content]; return ok })
		if round > 0 && len(fresh) > 0 {
			return fault.Internalf("content_id_taken",
				"categorized data %s: other content has the id of this content, or it was removed while it was added", fresh[0].ID)
		}
	}
	return nil
}

// classify gives the category to documents that are there without one.
func (s *Store) classify(ctx context.Context, data []activity.CategorizedData, there known) error {
	var updates []mongo.WriteModel
	var contents []activity.Content
	for _, given := range data {
		stored, ok := there[given.Content]
		if !ok || !stored.CategoryID.IsZero() || given.CategoryID.IsZero() {
			continue
		}
		updates = append(updates, classification(stored, given))
		contents = append(contents, given.Content)
		delete(there, given.Content)
	}
	if len(updates) == 0 {
		return nil
	}
	if _, err := s.contents.BulkWrite(ctx, updates, options.BulkWrite().SetOrdered(false)); err != nil {
		return err
	}
	return s.findContents(ctx, contents, there)
}

// sparse reports whether a part of the content is empty.
func sparse(content activity.Content) bool {
	return content.App == "" || content.URL == "" || content.Title == ""
}

func contentsOf(data []activity.CategorizedData, keep func(activity.Content) bool) []activity.Content {
	var contents []activity.Content
	for _, d := range data {
		if keep(d.Content) {
			contents = append(contents, d.Content)
		}
	}
	return contents
}
