package activity_test

import (
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/activity/pattern"
)

var seoul = time.FixedZone("KST", 9*60*60)

// sampled is an event of a sample, decoded as the pipeline decodes it.
func sampled(t *testing.T, check activity.Checker, entry []activity.Field) activity.Event {
	t.Helper()
	event, err := check.Check(payloadOf(t, entry))
	require.NoError(t, err, "%v", entry)
	return event
}

func TestSamplesOfOneSeedAreTheSame(t *testing.T) {
	one, same, other := activity.NewSample(7, seoul), activity.NewSample(7, seoul), activity.NewSample(8, seoul)
	now := time.Date(2025, 10, 14, 9, 0, 0, 0, time.UTC)
	differ := false
	for range 5000 {
		now = now.Add(20 * time.Millisecond)
		entry := one.Next(now)
		require.Equal(t, entry, same.Next(now))
		differ = differ || !slices.Equal(entry, other.Next(now))
	}
	require.True(t, differ)
}

func TestSampleWritesEntriesAsTheProducerDoes(t *testing.T) {
	entry := activity.NewSample(1, seoul).Next(time.Date(2025, 10, 14, 14, 53, 52, 512_300_000, seoul))
	names, values := []string{}, map[string]string{}
	for _, field := range entry {
		names, values[field.Name] = append(names, field.Name), field.Value
	}
	require.Equal(t, []string{"userId", "app", "title", "url", "duration", "session", "sessionDate", "sessionMinutes", "timestamp", "isEnd"}, names)
	require.Equal(t, "1.760421232512E9", values["timestamp"])
	require.Equal(t, "2025-10-14", values["sessionDate"])
	require.Equal(t, "1", values["session"])
	require.Equal(t, "false", values["isEnd"])
	require.Regexp(t, `^\d{1,2}\.\d$`, values["duration"])
}

// Every user's events fill one session after the other, to the second, and the last event of each says so.
func TestSampledUsersLiveThroughSessions(t *testing.T) {
	now := time.Date(2025, 10, 14, 23, 57, 0, 0, seoul) // the run passes midnight
	check := checker(t, func() time.Time { return now })
	type progress struct {
		seconds float64
		number  int
		day     string // that the number counts in
		date    string // that the session began on; empty between two
		ended   int
	}
	users := map[string]*progress{}
	sample := activity.NewSample(3, seoul)
	for range 25_000 {
		now = now.Add(20 * time.Millisecond)
		event := sampled(t, check, sample.Next(now))
		require.True(t, event.Timestamp.Equal(now))
		require.GreaterOrEqual(t, event.Duration, 1.0)
		require.LessOrEqual(t, event.Duration, 60.0)
		p := users[event.User]
		if p == nil {
			p = &progress{number: 1, day: now.Format(time.DateOnly)}
			users[event.User] = p
		}
		if p.date == "" { // a new session, perhaps of a new day
			if p.date = now.Format(time.DateOnly); p.date != p.day {
				p.day, p.number = p.date, 1
			}
		}
		require.Equal(t, p.number, event.Session, event.User)
		require.Equal(t, p.date, event.SessionDate)
		p.seconds += event.Duration
		if !event.IsEnd {
			continue
		}
		if p.ended++; p.ended > 1 { // the first was under way at the start
			require.InDelta(t, event.SessionMinutes*60, p.seconds, 1e-6, event.User)
		}
		p.seconds, p.number, p.date = 0, p.number+1, ""
	}
	require.Len(t, users, 20)
	for user, p := range users {
		require.Greater(t, p.ended, 3, user)
	}
}

func TestSampleShowsMostCategoriesAndSomeUnknownContent(t *testing.T) {
	categories := pattern.Builtin()
	patterns, problems := pattern.Compile(categories)
	require.Empty(t, problems)
	now := time.Date(2025, 10, 14, 12, 0, 0, 0, seoul)
	check, sample := checker(t, func() time.Time { return now }), activity.NewSample(1, seoul)
	count := map[string]int{}
	for range 8_000 {
		event := sampled(t, check, sample.Next(now))
		name := activity.Uncategorized
		if match, ok := patterns.Match(event.Content.App, event.Content.Title, event.Content.URL); ok {
			name = categories[match.Category].Name
		}
		count[name]++
	}
	require.GreaterOrEqual(t, len(count), 17, "%v", count)
	require.Positive(t, count[activity.Uncategorized])
	require.Less(t, count[activity.Uncategorized], 8_000/20, "%v", count)
}

func TestSampleKeepsTheBoardMoving(t *testing.T) {
	now := time.Date(2025, 10, 14, 12, 0, 0, 0, seoul)
	check, sample := checker(t, func() time.Time { return now }), activity.NewSample(1, seoul)
	seconds := map[string]float64{}
	top := func() []string {
		users := slices.Collect(maps.Keys(seconds))
		slices.SortFunc(users, func(a, b string) int { return int(seconds[b]*10) - int(seconds[a]*10) })
		return users[:5]
	}
	changes, before := 0, []string(nil)
	for n := range 30_000 { // ten minutes of the default rate
		event := sampled(t, check, sample.Next(now))
		seconds[event.User] += event.Duration
		if n%500 == 499 {
			if now := top(); !slices.Equal(before, now) {
				changes, before = changes+1, now
			}
		}
	}
	require.GreaterOrEqual(t, changes, 20, "of 60 looks, "+strconv.Itoa(changes)+" showed another top five")
}
