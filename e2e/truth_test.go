package e2e

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// event is what an entry says, and so what is to be recorded of it.
type event struct {
	user, app, title, url string
	category              string    // that it must be given
	at                    time.Time // zero: when the broker took the entry
	millis                int64     // its duration
	session, minutes      int
	date                  string // of the session; empty: the day of the event
	end                   bool
}

// entry is one entry of the stream.
type entry struct {
	fields   []string // names and values, as XADD takes them
	event    *event   // nil if it must end in the DLQ
	identity string   // the same for repeats of one event; empty if nothing names it
	id       string   // once it is published
}

// boards are scores in milliseconds, by board ("work:2025-10-14") and user.
type boards map[string]map[string]float64

func (b boards) add(board, user string, millis float64) {
	if b[board] == nil {
		b[board] = map[string]float64{}
	}
	b[board][user] += millis
}

// work are the categories that count as work.
var work = []string{
	"Development", "LLM", "Documentation", "Design", "Video Editing", "Education", "Productivity", "Finance",
	"File Management", "Browsing", "Marketing", "System & Utilities", "Meetings",
}

// seoul has had no other offset since 1988.
var seoul = time.FixedZone("KST", 9*60*60)

// count adds time that a user spent to all boards that it belongs to.
func (b boards) count(user, category string, at time.Time, millis int64) {
	if millis == 0 {
		return
	}
	at = at.In(seoul)
	year, week := at.ISOWeek()
	for _, period := range []string{
		at.Format("2006-01-02"), fmt.Sprintf("%d-W%d", year, week), fmt.Sprintf("%d-M%d", at.Year(), int(at.Month())),
	} {
		b.add(category+":"+period, user, float64(millis))
		b.add("total:"+period, user, float64(millis))
		if slices.Contains(work, category) {
			b.add("work:"+period, user, float64(millis))
		}
	}
}

// requireBoards compares every score of every board, to half a millisecond.
func requireBoards(t testing.TB, want, got boards) {
	t.Helper()
	if wrong := differences(want, got); wrong != "" {
		t.Fatal(wrong)
	}
}

// differences names the first scores that differ by half a millisecond or more; empty if none does.
func differences(want, got boards) string {
	var wrong []string
	for _, board := range slices.Sorted(maps.Keys(union(want, got))) {
		for _, user := range slices.Sorted(maps.Keys(union(want[board], got[board]))) {
			if w, g := want[board][user], got[board][user]; math.Abs(w-g) >= 0.5 {
				wrong = append(wrong, fmt.Sprintf("%s %s: %.3f s instead of %.3f s", board, user, g/1000, w/1000))
			}
		}
	}
	if len(wrong) == 0 {
		return ""
	}
	return fmt.Sprintf("%d scores are wrong on %d boards (%d expected):\n%s", len(wrong), len(got), len(want), strings.Join(wrong[:min(10, len(wrong))], "\n"))
}

func union[K comparable, V any](a, b map[K]V) map[K]V {
	both := maps.Clone(a)
	if both == nil {
		both = map[K]V{}
	}
	maps.Copy(both, b)
	return both
}

// when is the time of the entry's event.
func (e *entry) when(t testing.TB) time.Time {
	if !e.event.at.IsZero() {
		return e.event.at
	}
	var millis, sequence int64
	_, err := fmt.Sscanf(e.id, "%d-%d", &millis, &sequence)
	require.NoError(t, err, "entry id %q", e.id)
	return time.UnixMilli(millis)
}

// name is what the entry's event is known by.
func (e *entry) name() string {
	if e.identity != "" {
		return e.identity
	}
	return e.id
}

// addsUp verifies that of all entries each event is recorded once, as it said, and counted once, that everything else
// is in the DLQ, and that nothing is left.
func (w *world) addsUp(entries []*entry) {
	w.t.Helper()
	s, err := w.state()
	require.NoError(w.t, err)
	require.Zero(w.t, s.lag, "entries that the group was not given")
	require.Zero(w.t, s.pending, "entries that are pending")
	w.recordsAreTrue(entries, nil)
	truth, names, poison, ended := boards{}, map[string]bool{}, map[string]bool{}, map[session]bool{}
	for _, e := range entries {
		switch {
		case e.event == nil:
			poison[e.id] = true
		case !names[e.name()]:
			names[e.name()] = true
			truth.count(e.event.user, e.event.category, e.when(w.t), e.event.millis)
		}
		if e.event != nil && e.event.end {
			ended[session{e.event.user, e.event.date, strconv.Itoa(e.event.session)}] = true
		}
	}
	requireBoards(w.t, truth, w.boards())
	require.Equal(w.t, ended, w.announced(), "sessions that are announced as ended")
	dead := map[string]bool{}
	for _, letter := range w.letters() {
		id := letter.Metadata.Get("dlq_position")
		if !poison[id] {
			w.t.Fatalf("entry %s is in the DLQ: %v\n%s", id, letter.Metadata, letter.Payload)
		}
		dead[id] = true
	}
	require.Len(w.t, dead, len(poison), "distinct dead letters")
}

// session is an entry of the stream of sessions that ended.
type session struct{ user, date, number string }

// announced returns the distinct sessions that are announced as ended. Each announcement has these fields and no other.
func (w *world) announced() map[session]bool {
	w.t.Helper()
	entries, err := w.redis.XRange(w.t.Context(), scores, "-", "+").Result()
	require.NoError(w.t, err)
	sessions := map[session]bool{}
	for _, e := range entries {
		user, _ := e.Values["userId"].(string)
		date, _ := e.Values["sessionDate"].(string)
		number, _ := e.Values["session"].(string)
		require.Equal(w.t, map[string]any{"userId": user, "sessionDate": date, "session": number}, e.Values)
		sessions[session{user, date, number}] = true
	}
	return sessions
}

// recordsAreTrue compares the records with the entries that wrote them, and returns the positions of the records. The
// events of entries that are open may have no record; each other event has exactly one.
func (w *world) recordsAreTrue(entries []*entry, open map[string]bool) map[string]bool {
	w.t.Helper()
	at, want := map[string]*entry{}, map[string]bool{}
	for _, e := range entries {
		at[e.id] = e
	}
	for _, e := range entries {
		if e.event != nil && !open[e.id] {
			want[e.name()] = true
		}
	}
	have, positions := map[string]bool{}, map[string]bool{}
	for _, r := range w.db.records(w.t) {
		e := at[r.position]
		if e == nil || e.event == nil {
			w.t.Fatalf("a record of no valid entry: %+v", r)
		}
		if have[e.name()] {
			w.t.Fatalf("event %s has a second record: %+v", e.name(), r)
		}
		have[e.name()], positions[r.position] = true, true
		w.same(e, r)
	}
	for name := range want {
		if !have[name] {
			w.t.Fatalf("event %s has no record; %d of %d events have one", name, len(have), len(want))
		}
	}
	return positions
}

func (w *world) same(e *entry, r record) {
	w.t.Helper()
	v := e.event
	want := record{
		user: v.user, app: v.app, title: v.title, url: v.url, category: v.category, millis: e.when(w.t).UnixMilli(), duration: v.millis,
		session: v.session, minutes: v.minutes, date: v.date, source: topic, position: r.position, id: r.id, contentID: r.contentID,
	}
	if want.date == "" {
		want.date = e.when(w.t).In(seoul).Format(time.DateOnly)
	}
	if want != r {
		w.t.Fatalf("record of entry %s %q\n got: %+v\nwant: %+v", e.id, e.fields, r, want)
	}
}
