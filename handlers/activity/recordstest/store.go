// Package recordstest is the conformance suite of the ports activity.Records and activity.PatternStore. An adapter
// runs it in its own tests; what passes may stand behind the activity pipeline.
package recordstest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"leat/handlers/activity"
	"leat/handlers/delivery"
)

// Handle is one connected store, as a process has it.
type Handle interface {
	activity.Records
	activity.PatternStore
}

// Store is an empty database and two handles on it, as two processes would have them.
type Store struct {
	Handle
	Other Handle

	// InsertLog and InsertContent insert a document as a producer would: without source and position, and without
	// the fields whose value is zero or empty.
	InsertLog     func(t *testing.T, log activity.UsageLog)
	InsertContent func(t *testing.T, data activity.CategorizedData)

	// Lacks names cases that the server behind the adapter cannot pass, with the reason; they are skipped. It is
	// for servers that only stand in for the real one.
	Lacks map[string]string
}

// Run runs every case on a store of its own. open registers what it must clean up with t.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for group, cases := range map[string]map[string]func(*testing.T, Store){
		"logs": logCases, "contents": contentCases, "patterns": patternCases, "contexts": contextCases,
	} {
		for name, run := range cases {
			t.Run(group+"/"+name, func(t *testing.T) {
				store := open(t)
				if reason := store.Lacks[group+"/"+name]; reason != "" {
					t.Skip(reason)
				}
				run(t, store)
			})
		}
	}
}

// source is where the messages of the cases come from.
const source = "pomodoro_pattern_match_stream"

// began is when the first message of the cases was written.
var began = time.Date(2025, 10, 14, 9, 47, 12, 500_000_000, time.UTC)

// id makes distinct ids, in an order that is not that of n.
func id(n int) activity.ID { return activity.Content{App: fmt.Sprint(n)}.ID() }

func position(n int) delivery.Position {
	return delivery.Position{Major: uint64(began.UnixMilli()) + uint64(n), Minor: uint64(n % 3)}
}

// usageLog is the n-th of the cases' usage logs.
func usageLog(n int) activity.UsageLog {
	return activity.UsageLog{
		ID: id(n), User: fmt.Sprintf("user-%d", n%7),
		CategorizedDataID: id(1_000_000 + n), CategoryID: id(2_000_000 + n%5),
		Session: n%4 + 1, SessionMinutes: 25, SessionDate: "2025-10-14",
		Timestamp: began.Add(time.Duration(n) * time.Second), Duration: 12.5 + float64(n),
		Source: source, Position: position(n),
	}
}

func usageLogs(n int) []activity.UsageLog {
	logs := make([]activity.UsageLog, n)
	for i := range logs {
		logs[i] = usageLog(i)
	}
	return logs
}

// content is the n-th of the cases' categorized data, under the id of its content.
func content(n int) activity.CategorizedData {
	c := activity.Content{App: "Google Chrome", URL: fmt.Sprintf("https://example.com/%d", n), Title: fmt.Sprintf("Page %d", n)}
	return activity.CategorizedData{ID: c.ID(), Content: c, CategoryID: id(2_000_000 + n%5), Source: source, Position: position(n)}
}

func contents(n int) []activity.CategorizedData {
	data := make([]activity.CategorizedData, n)
	for i := range data {
		data[i] = content(i)
	}
	return data
}

// keys are the contents of documents.
func keys(data ...activity.CategorizedData) []activity.Content {
	keys := make([]activity.Content, len(data))
	for i := range data {
		keys[i] = data[i].Content
	}
	return keys
}

// ids are the ids of logs.
func ids(logs ...activity.UsageLog) []activity.ID {
	ids := make([]activity.ID, len(logs))
	for i := range logs {
		ids[i] = logs[i].ID
	}
	return ids
}

// noise is text of n bytes that hardly compresses.
func noise(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(id(3_000_000 + i).String())
	}
	return b.String()[:n]
}

// timeout bounds each case; a store that waits for ever fails instead of hanging.
func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
