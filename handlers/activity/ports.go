package activity

import (
	"context"
	"iter"
	"time"

	"leat/handlers/delivery"
)

// Records is the store of what was classified and recorded. Its methods are safe for concurrent use, by
// several processes too. Errors are of kind unavailable when the store cannot be reached or is too slow;
// any other error means that something about the given values is at fault.
type Records interface {
	// FindContents looks up documents of categorized_data, by id and, for those that the producer created under
	// an id of its own, by (app, url, title). The result holds only what exists.
	FindContents(ctx context.Context, contents []Content) (map[Content]CategorizedData, error)

	// AddContents inserts documents and returns, in the same order, the document that stands for each content
	// afterwards: the given one, or the one that was there before. One that was there without a category gets
	// the given category. The given contents are distinct. Ids of the given documents that belong to other
	// content already are replaced by Content.ID.
	AddContents(ctx context.Context, data []CategorizedData) ([]CategorizedData, error)

	// FindLogs returns those of the usage logs that exist and have a position, that is, were written by leat.
	FindLogs(ctx context.Context, ids []ID) (map[ID]UsageLog, error)

	// AddLogs inserts usage logs, in no order, and returns, in the same order, the record that stands under each
	// id afterwards: the given one, or the one that was there before, unchanged. A document without a
	// position, created by the producer, is completed with the given values and counts as inserted. The same
	// id may be given more than once; one of them wins. After an error any part of them may be inserted.
	AddLogs(ctx context.Context, logs []UsageLog) ([]UsageLog, error)

	// Logs iterates over all usage logs that have a position, in no order. It ends with the first error.
	Logs(ctx context.Context) iter.Seq2[UsageLog, error]
}

// CategoryPatterns is a document of category_pattern.
type CategoryPatterns struct {
	ID       ID
	Category string
	Apps     []string // appPatterns
	Domains  []string // domainPatterns
	Titles   []string // titlePatterns: may stand anywhere in the title
}

// PatternStore keeps the patterns that users edit.
type PatternStore interface {
	// Patterns returns all documents of category_pattern, by category name. One that cannot be read is left out and
	// logged: users edit them.
	Patterns(ctx context.Context) ([]CategoryPatterns, error)
	// SeedPatterns inserts the given documents if the collection is empty. Several workers may do so at once:
	// a document whose id exists is left as it is.
	SeedPatterns(ctx context.Context, patterns []CategoryPatterns) error
}

// BoardKey names one leaderboard.
type BoardKey struct {
	Board  string // a category, "work" or "total"
	Period string // "2025-10-14", "2025-W42" or "2025-M10"
}

// BoardCount is what is to be added to one board. Each user occurs once.
type BoardCount struct {
	Board BoardKey
	// ExpireAt is when the board may be forgotten; zero means never.
	ExpireAt time.Time
	Scores   []Score
}

// Score is time that a user spent.
type Score struct {
	User    string
	Seconds float64
}

// Marker says that an event is counted. It is kept until the ack floor of its source passes its position.
type Marker struct {
	ID       ID
	Source   string
	Position delivery.Position
}

// Count is one atomic step: some events, marked, and what they add to the boards.
type Count struct {
	Markers []Marker
	Boards  []BoardCount
}

// Standing is one row of a leaderboard.
type Standing struct {
	Rank    int64   `json:"rank"` // competition ranking: 1, 2, 2, 4
	User    string  `json:"user"`
	Seconds float64 `json:"seconds"`
}

// Boards keeps the leaderboards, the markers of what is counted in them, and the ack floors.
type Boards interface {
	// Apply carries out each count in one atomic step, or not at all: if some of its marked events are counted already
	// (they have a marker, or lie below the ack floor of their source), it writes nothing of that count and returns
	// their indices, one list a count. After an error any of the counts may have been carried out.
	Apply(ctx context.Context, counts []Count) (counted [][]int, err error)

	// RaiseFloor says that this process has nothing of the source in hand below the position, and that the broker has
	// nothing unacked there. The ack floor rises to the lowest that any process said within the last minute, and the
	// markers below it are forgotten. It never falls.
	RaiseFloor(ctx context.Context, source string, floor delivery.Position) error

	// WithdrawFloor takes back what this process said of a source, because it stops. Without it, what it said last holds
	// the floor back for a minute.
	WithdrawFloor(ctx context.Context, source string) error

	// Top returns the first n rows of a board: higher scores first, ties (on whole milliseconds) share a rank and
	// are ordered by user. A board that does not exist is empty.
	Top(ctx context.Context, board BoardKey, n int) ([]Standing, error)

	// Rank returns one user's row; ok is false if the user is not on the board.
	Rank(ctx context.Context, board BoardKey, user string) (standing Standing, ok bool, err error)
}

// SessionScores receives the sessions that ended.
type SessionScores interface {
	// Publish sends one message for each. It is called again for the same sessions after a failure.
	Publish(ctx context.Context, scores []SessionScore) error
}
