package sqldb

import (
	"leat/handlers/activity"
)

// insertion is an INSERT of many rows.
type insertion struct {
	table    string
	columns  []string
	types    []string // of the columns, on PostgreSQL
	conflict string   // the ON CONFLICT clause
}

// column holds the values of one column, a value a row.
type column interface {
	all() any     // a slice that the driver of PostgreSQL takes as an array
	at(i int) any // one value, nil for NULL
}

// values is a column without NULL.
type values[T any] []T

func (v values[T]) all() any     { return []T(v) }
func (v values[T]) at(i int) any { return v[i] }

// ids is a column of ids; the zero id is NULL.
type ids []activity.ID

func (v ids) all() any {
	texts := make([]*string, len(v))
	for i, id := range v {
		if !id.IsZero() {
			text := id.String()
			texts[i] = &text
		}
	}
	return texts
}

func (v ids) at(i int) any {
	if v[i].IsZero() {
		return nil
	}
	return v[i].String()
}

// pick makes a column of one property of the records.
func pick[R, T any](records []R, property func(*R) T) values[T] {
	column := make(values[T], len(records))
	for i := range records {
		column[i] = property(&records[i])
	}
	return column
}

// pickIDs makes a column of one id of the records.
func pickIDs[R any](records []R, property func(*R) activity.ID) ids {
	return ids(pick(records, property))
}

// texts are the forms of ids that the database holds.
func texts(list []activity.ID) []string {
	out := make([]string, len(list))
	for i, id := range list {
		out[i] = id.String()
	}
	return out
}

// readID reads an id that may be NULL, selected as the empty text.
func readID(text string) (activity.ID, error) {
	if text == "" {
		return activity.ID{}, nil
	}
	return activity.ParseID(text)
}
