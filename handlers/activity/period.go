package activity

import (
	"fmt"
	"strconv"
	"time"
)

// Period is a length of time that a leaderboard covers.
type Period uint8

// The periods.
const (
	Day Period = iota
	Week
	Month
)

// ParsePeriod reads "day", "week" or "month".
func ParsePeriod(s string) (Period, error) {
	for _, p := range [...]Period{Day, Week, Month} {
		if p.String() == s {
			return p, nil
		}
	}
	return 0, fmt.Errorf("%q is not one of day, week, month", s)
}

// String is the form that ParsePeriod reads.
func (p Period) String() string { return [...]string{"day", "week", "month"}[p] }

// Label names the period that t, in its own time zone, lies in: "2025-10-14", "2025-W42" (ISO week and ISO year, not
// padded) or "2025-M10".
func (p Period) Label(t time.Time) string {
	switch p {
	case Week:
		year, week := t.ISOWeek()
		return strconv.Itoa(year) + "-W" + strconv.Itoa(week)
	case Month:
		return strconv.Itoa(t.Year()) + "-M" + strconv.Itoa(int(t.Month()))
	default:
		return t.Format(time.DateOnly)
	}
}

// End returns when the period that t lies in is over: the first instant of the next one.
func (p Period) End(t time.Time) time.Time {
	year, month, day := t.Date()
	switch p {
	case Week:
		day += 7 - (int(t.Weekday())+6)%7
	case Month:
		month, day = month+1, 1
	default:
		day++
	}
	end := time.Date(year, month, day, 0, 0, 0, 0, t.Location())
	if end.Hour() > 12 { // the clocks skip this midnight; end is an hour before the change, still on the day before
		_, end = end.ZoneBounds()
	}
	return end
}
