package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"

	"leat/handlers/activity"
)

// leaderboard is the answer of leat leaderboard.
type leaderboard struct {
	Board     string              `json:"board"`
	Period    string              `json:"period"`
	Label     string              `json:"label"`
	Standings []activity.Standing `json:"standings"`
}

// rank makes the answer the row of one user, or no row.
func (l *leaderboard) rank(ctx context.Context, boards activity.Boards, user string) error {
	standing, ok, err := boards.Rank(ctx, activity.BoardKey{Board: l.Board, Period: l.Label}, user)
	if ok {
		l.Standings = []activity.Standing{standing}
	}
	return err
}

// writeJSON writes one object. Of one user, it holds the row itself, or null.
func (l leaderboard) writeJSON(out io.Writer, ofUser bool) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if !ofUser {
		if l.Standings == nil {
			l.Standings = []activity.Standing{}
		}
		return encoder.Encode(l)
	}
	one := struct {
		Board    string             `json:"board"`
		Period   string             `json:"period"`
		Label    string             `json:"label"`
		Standing *activity.Standing `json:"standing"`
	}{Board: l.Board, Period: l.Period, Label: l.Label}
	if len(l.Standings) > 0 {
		one.Standing = &l.Standings[0]
	}
	return encoder.Encode(one)
}

// write writes a table, or a sentence where there is nothing to show.
func (l leaderboard) write(out io.Writer, user string, settings activity.Config) error {
	var b strings.Builder
	switch {
	case len(l.Standings) > 0:
		fmt.Fprintf(&b, "%s, %s\n\n", visible(l.Board), l.Label)
		l.writeTable(&b)
	case user != "":
		fmt.Fprintf(&b, "%s is not on the board %s of %s.\n", visible(user), visible(l.Board), l.Label)
	default:
		fmt.Fprintf(&b, "Nobody is on the board %s of %s.\n", visible(l.Board), l.Label)
	}
	if len(l.Standings) == 0 && !l.kept(settings) {
		b.WriteString("Such boards are not kept: see pipelines.activity.boards and pipelines.activity.periods.\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// kept reports whether the configuration keeps such boards.
func (l leaderboard) kept(settings activity.Config) bool {
	kind := l.Board
	if kind != activity.BoardWork && kind != activity.BoardTotal {
		kind = activity.BoardCategory
	}
	return slices.Contains(settings.Boards, kind) && slices.Contains(settings.Periods, l.Period)
}

func (l leaderboard) writeTable(b *strings.Builder) {
	rows := [][3]string{{"RANK", "USER", "TIME"}}
	for _, s := range l.Standings {
		rows = append(rows, [3]string{strconv.FormatInt(s.Rank, 10), visible(s.User), clock(s.Seconds)})
	}
	var widths [3]int
	for _, row := range rows {
		for n, cell := range row {
			widths[n] = max(widths[n], uniseg.StringWidth(cell))
		}
	}
	gap := func(n int, cell string) string { return strings.Repeat(" ", widths[n]-uniseg.StringWidth(cell)) }
	for _, row := range rows {
		b.WriteString(gap(0, row[0]) + row[0] + "  " + row[1] + gap(1, row[1]) + "  " + gap(2, row[2]) + row[2] + "\n")
	}
}

// clock writes seconds as h:mm:ss.
func clock(seconds float64) string {
	whole := int64(math.Round(seconds))
	return fmt.Sprintf("%d:%02d:%02d", whole/3600, whole/60%60, whole%60)
}
