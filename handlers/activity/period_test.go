package activity

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPeriodLabels(t *testing.T) {
	for _, test := range []struct{ at, day, week, month string }{
		{"2025-10-14T14:47:12+09:00", "2025-10-14", "2025-W42", "2025-M10"},
		{"2026-01-01T00:00:00+09:00", "2026-01-01", "2026-W1", "2026-M1"},
		{"2025-12-29T00:00:00+09:00", "2025-12-29", "2026-W1", "2025-M12"}, // a Monday: the ISO year is the next one already
		{"2025-12-28T23:59:59+09:00", "2025-12-28", "2025-W52", "2025-M12"},
		{"2027-01-03T12:00:00+09:00", "2027-01-03", "2026-W53", "2027-M1"}, // a Sunday: the ISO year is still the last one
		{"2027-01-04T00:00:00+09:00", "2027-01-04", "2027-W1", "2027-M1"},
		{"2024-12-30T12:00:00+09:00", "2024-12-30", "2025-W1", "2024-M12"},
		{"2024-02-29T12:00:00+09:00", "2024-02-29", "2024-W9", "2024-M2"},
	} {
		at, err := time.Parse(time.RFC3339, test.at)
		require.NoError(t, err)
		require.Equal(t, test.day, Day.Label(at))
		require.Equal(t, test.week, Week.Label(at))
		require.Equal(t, test.month, Month.Label(at))
	}
}

func TestParsePeriod(t *testing.T) {
	for _, period := range []Period{Day, Week, Month} {
		parsed, err := ParsePeriod(period.String())
		require.NoError(t, err)
		require.Equal(t, period, parsed)
	}
	_, err := ParsePeriod("year")
	require.EqualError(t, err, `"year" is not one of day, week, month`)
}

// A period ends with the first instant of the next one, whatever the clocks do in between.
func TestPeriodEnd(t *testing.T) {
	for _, test := range []struct{ zone, at, day, week, month string }{
		{"Asia/Seoul", "2025-10-14T14:47:12+09:00", "2025-10-15T00:00:00+09:00", "2025-10-20T00:00:00+09:00", "2025-11-01T00:00:00+09:00"},
		{"Asia/Seoul", "2025-12-31T23:59:59+09:00", "2026-01-01T00:00:00+09:00", "2026-01-05T00:00:00+09:00", "2026-01-01T00:00:00+09:00"},
		{"Asia/Seoul", "2025-10-19T23:59:59+09:00", "2025-10-20T00:00:00+09:00", "2025-10-20T00:00:00+09:00", "2025-11-01T00:00:00+09:00"}, // a Sunday
		{"Europe/Berlin", "2025-10-26T12:00:00+01:00", "2025-10-27T00:00:00+01:00", "2025-10-27T00:00:00+01:00", "2025-11-01T00:00:00+01:00"},
		{"Europe/Berlin", "2025-03-30T01:00:00+01:00", "2025-03-31T00:00:00+02:00", "2025-03-31T00:00:00+02:00", "2025-04-01T00:00:00+02:00"},
		{"America/Sao_Paulo", "2018-11-03T12:00:00-03:00", "2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00", "2018-12-01T00:00:00-02:00"}, // no midnight on the 4th
	} {
		zone, err := time.LoadLocation(test.zone)
		require.NoError(t, err)
		at, err := time.Parse(time.RFC3339, test.at)
		require.NoError(t, err)
		at = at.In(zone)
		require.Equal(t, test.day, Day.End(at).Format(time.RFC3339))
		require.Equal(t, test.week, Week.End(at).Format(time.RFC3339))
		require.Equal(t, test.month, Month.End(at).Format(time.RFC3339))
	}
}

// In every zone, on every day, a period's end is where its label changes.
func TestPeriodEndIsWhereTheLabelChanges(t *testing.T) {
	for _, name := range []string{"UTC", "Asia/Seoul", "America/Sao_Paulo", "America/New_York", "Europe/Berlin", "Asia/Beirut", "Pacific/Apia", "Africa/Cairo"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		for at := time.Date(2018, 1, 1, 0, 30, 0, 0, time.UTC); at.Year() < 2020; at = at.Add(11 * time.Hour) {
			at := at.In(zone)
			for _, period := range []Period{Day, Week, Month} {
				end := period.End(at)
				require.NotEqual(t, period.Label(at), period.Label(end), "%s %s %s", name, period, at)
				require.Equal(t, period.Label(at), period.Label(end.Add(-time.Millisecond)), "%s %s %s", name, period, at)
			}
		}
	}
}
