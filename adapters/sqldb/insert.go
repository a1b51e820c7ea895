package sqldb

import (
	"encoding/hex"

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

// keys is a column of ids in text; an empty one is NULL.
type keys []string

func (v keys) all() any {
	texts := make([]*string, len(v))
	for i := range v {
		if v[i] != "" {
			texts[i] = &v[i]
		}
	}
	return texts
}

func (v keys) at(i int) any {
	if v[i] == "" {
		return nil
	}
	return v[i]
}

// pick makes a column of one property of the records.
func pick[R, T any](records []R, property func(*R) T) values[T] {
	column := make(values[T], len(records))
	for i := range records {
		column[i] = property(&records[i])
	}
	return column
}

// pickIDs makes a column of one id of the records; the zero id is NULL.
func pickIDs[R any](records []R, property func(*R) activity.ID) keys {
	return texts(pick(records, property))
}

// texts are the forms of ids that the database holds, all cut from one string; that of the zero id is empty.
func texts(ids []activity.ID) []string {
	const width = 2 * len(activity.ID{})
	buffer := make([]byte, 0, width*len(ids))
	for i := range ids {
		buffer = hex.AppendEncode(buffer, ids[i][:])
	}
	all := string(buffer)
	out := make([]string, len(ids))
	for i := range ids {
		if !ids[i].IsZero() {
			out[i] = all[i*width : (i+1)*width]
		}
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
