package sqldb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"leat/handlers/activity"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

const selectContents = `SELECT id, COALESCE(app, ''), COALESCE(url, ''), COALESCE(title, ''), COALESCE(category_id, ''),
	COALESCE(is_llm_based, FALSE), COALESCE(source, ''), COALESCE(position, '')
	FROM categorized_data WHERE digest `

var insertContents = &insertion{
	table:    "categorized_data",
	columns:  []string{"id", "digest", "app", "url", "title", "category_id", "is_llm_based", "source", "position"},
	types:    []string{"text", "text", "text", "text", "text", "text", "boolean", "text", "text"},
	conflict: "ON CONFLICT DO NOTHING",
}

const classifyContent = `UPDATE categorized_data
	SET category_id = $1, is_llm_based = $2, source = COALESCE(source, $3), position = COALESCE(position, $4)
	WHERE digest = $5 AND category_id IS NULL`

// FindContents implements activity.Records.
func (s *Store) FindContents(ctx context.Context, contents []activity.Content) (map[activity.Content]activity.CategorizedData, error) {
	if len(contents) == 0 {
		return map[activity.Content]activity.CategorizedData{}, nil
	}
	var found map[activity.Content]activity.CategorizedData
	err := s.within(ctx, "find categorized data", func(ctx context.Context) (err error) {
		found, err = s.findContents(ctx, contents)
		return err
	})
	return found, err
}

func (s *Store) findContents(ctx context.Context, contents []activity.Content) (map[activity.Content]activity.CategorizedData, error) {
	digests := make([]string, len(contents))
	for i, content := range contents {
		digests[i] = content.ID().String()
	}
	rows, err := s.read.QueryContext(ctx, selectContents+s.dialect.among, s.dialect.list(digests))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := make(map[activity.Content]activity.CategorizedData, len(contents))
	for rows.Next() {
		data, err := readContent(rows)
		if err != nil {
			return nil, err
		}
		found[data.Content] = data
	}
	return found, rows.Err()
}

// AddContents implements activity.Records. It is one statement and one commit, unless some of the contents or
// ids are there already, or the contents are larger than statementBytes.
func (s *Store) AddContents(ctx context.Context, data []activity.CategorizedData) ([]activity.CategorizedData, error) {
	if len(data) == 0 {
		return nil, nil
	}
	standing := withIDs(data)
	err := s.within(ctx, "add categorized data", func(ctx context.Context) error {
		added, err := s.insertContents(ctx, standing)
		if err != nil || added == int64(len(standing)) {
			return err
		}
		if err := s.replaceTakenIDs(ctx, standing); err != nil {
			return err
		}
		return s.settleContents(ctx, standing)
	})
	if err != nil {
		return nil, err
	}
	return standing, nil
}

// withIDs copies the data; what has no id, or one that an earlier content of the call has, gets that of its content.
func withIDs(data []activity.CategorizedData) []activity.CategorizedData {
	standing := slices.Clone(data)
	taken := make(map[activity.ID]bool, len(data))
	for i := range standing {
		if standing[i].ID.IsZero() || taken[standing[i].ID] {
			standing[i].ID = standing[i].Content.ID()
		}
		taken[standing[i].ID] = true
	}
	return standing
}

// replaceTakenIDs inserts what was not inserted because other content has its id, under the content's own id.
func (s *Store) replaceTakenIDs(ctx context.Context, data []activity.CategorizedData) error {
	found, err := s.findContents(ctx, contentsOf(data))
	if err != nil {
		return err
	}
	var again []activity.CategorizedData
	for i := range data {
		if _, ok := found[data[i].Content]; !ok {
			data[i].ID = data[i].Content.ID()
			again = append(again, data[i])
		}
	}
	if len(again) == 0 {
		return nil
	}
	_, err = s.insertContents(ctx, again)
	return err
}

// settleContents gives a category to rows without one, and replaces all data by what the database holds.
func (s *Store) settleContents(ctx context.Context, data []activity.CategorizedData) error {
	found, err := s.findContents(ctx, contentsOf(data))
	if err != nil {
		return err
	}
	var unclassified []activity.CategorizedData
	for _, given := range data {
		if stored, ok := found[given.Content]; ok && stored.CategoryID.IsZero() && !given.CategoryID.IsZero() {
			unclassified = append(unclassified, given)
		}
	}
	if len(unclassified) > 0 {
		if err := s.classify(ctx, unclassified); err != nil {
			return err
		}
		if found, err = s.findContents(ctx, contentsOf(data)); err != nil {
			return err
		}
	}
	for i := range data {
		stored, ok := found[data[i].Content]
		if !ok {
			return fault.Internalf("content_id_taken", "categorized data %s: other content has the id of this content, or it was removed while it was added", data[i].ID)
		}
		data[i] = stored
	}
	return nil
}

// classify gives a category to the rows of these contents, as far as they still have none, in one transaction and in
// the order of their keys, as distinctLogs does.
func (s *Store) classify(ctx context.Context, data []activity.CategorizedData) error {
	slices.SortFunc(data, func(a, b activity.CategorizedData) int {
		x, y := a.Content.ID(), b.Content.ID()
		return bytes.Compare(x[:], y[:])
	})
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, given := range data {
		if _, err := tx.ExecContext(ctx, classifyContent, given.CategoryID.String(), given.LLM, given.Source,
			given.Position.Key(), given.Content.ID().String()); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// statementBytes bounds the text of one statement; PostgreSQL takes less than 1 GiB.
const statementBytes = 32 << 20

// insertContents inserts in the order of the ids, as distinctLogs does, and returns how many were new.
func (s *Store) insertContents(ctx context.Context, given []activity.CategorizedData) (added int64, err error) {
	type data = activity.CategorizedData
	rows := slices.SortedFunc(slices.Values(given), func(a, b data) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	from, size := 0, 0
	for i, row := range rows {
		size += len(row.Content.App) + len(row.Content.URL) + len(row.Content.Title)
		if size < statementBytes && i < len(rows)-1 {
			continue
		}
		part := rows[from : i+1]
		n, err := s.dialect.insert(ctx, insertContents, contentColumns(part), len(part))
		if err != nil {
			return added, err
		}
		added += n
		from, size = i+1, 0
	}
	return added, nil
}

func contentColumns(rows []activity.CategorizedData) []column {
	type data = activity.CategorizedData
	return []column{
		pickIDs(rows, func(d *data) activity.ID { return d.ID }),
		pickIDs(rows, func(d *data) activity.ID { return d.Content.ID() }),
		pick(rows, func(d *data) string { return d.Content.App }),
		pick(rows, func(d *data) string { return d.Content.URL }),
		pick(rows, func(d *data) string { return d.Content.Title }),
		pickIDs(rows, func(d *data) activity.ID { return d.CategoryID }),
		pick(rows, func(d *data) bool { return d.LLM }),
		pick(rows, func(d *data) string { return d.Source }),
		pick(rows, func(d *data) string { return d.Position.Key() }),
	}
}

func contentsOf(data []activity.CategorizedData) []activity.Content {
	return pick(data, func(d *activity.CategorizedData) activity.Content { return d.Content })
}

func readContent(row *sql.Rows) (activity.CategorizedData, error) {
	var data activity.CategorizedData
	var id, category, position string
	if err := row.Scan(&id, &data.Content.App, &data.Content.URL, &data.Content.Title, &category, &data.LLM, &data.Source, &position); err != nil {
		return data, err
	}
	var wrong [3]error
	data.ID, wrong[0] = activity.ParseID(id)
	data.CategoryID, wrong[1] = readID(category)
	data.Position, wrong[2] = delivery.ParseKey(position)
	if err := errors.Join(wrong[:]...); err != nil {
		return data, fmt.Errorf("categorized data %q: %w", id, err)
	}
	return data, nil
}
