package activity

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"leat/handlers/fault"
)

// The fields of an entry that mean something; all others are ignored.
var fieldIndex = map[string]int{
	"userId": 0, "app": 1, "title": 2, "url": 3, "duration": 4, "timestamp": 5, "session": 6, "sessionDate": 7,
	"sessionMinutes": 8, "isEnd": 9, "categorizedDataId": 10, "pomodoroUsageLogId": 11,
}

const fieldCount = 12

// raw returns a field as text: "" when it is absent or null. Numbers and booleans are returned as they were
// written; text that is JSON-quoted once more is unquoted.
func (f *fields) raw(name string) string {
	value := f.values[fieldIndex[name]]
	switch value.Type {
	case gjson.Null:
		return ""
	case gjson.String:
		s := value.Str
		if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' && gjson.Valid(s) {
			s = gjson.Parse(s).Str
		}
		if strings.IndexByte(s, 0) >= 0 {
			f.fail("nul_character", name, "contains the character U+0000")
			return ""
		}
		return s
	case gjson.JSON:
		f.fail("wrong_type", name, "is an object or a list")
		return ""
	default:
		return value.Raw
	}
}

func (f *fields) fail(code, name, problem string) {
	if f.err == nil {
		f.err = fault.Invalidf(code, "%s %s", name, problem)
	}
}

func (f *fields) has(name string) bool { return strings.TrimSpace(f.raw(name)) != "" }

func (f *fields) text(name string) string { return f.raw(name) }

func (f *fields) id(name string) ID {
	s := strings.TrimSpace(f.raw(name))
	if s == "" {
		return ID{}
	}
	id, err := ParseID(s)
	if err != nil || id.IsZero() {
		f.fail("not_an_id", name, "is "+quote(s)+", not an ObjectID of 24 hexadecimal digits")
	}
	return id
}

func (f *fields) number(name string) float64 {
	s := strings.TrimSpace(f.raw(name))
	if s == "" {
		return 0
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
		f.fail("not_a_number", name, "is "+quote(s)+", not a number")
		return 0
	}
	return n
}

func (f *fields) count(name string) int {
	n := f.number(name)
	if n != math.Trunc(n) || n < 0 || n > math.MaxInt32 {
		f.fail("out_of_range", name, "is "+quote(f.raw(name))+", not a whole number between 0 and 2147483647")
		return 0
	}
	return int(n)
}

func (f *fields) truth(name string) bool {
	switch s := strings.ToLower(strings.TrimSpace(f.raw(name))); s {
	case "", "false", "0":
		return false
	case "true", "1":
		return true
	default:
		f.fail("not_a_boolean", name, "is "+quote(s)+"; write true, false, 1 or 0")
		return false
	}
}

// time reads RFC 3339, or a number: epoch milliseconds from 10¹¹ on (seconds would lie past the year 5000), else
// epoch seconds with a fraction.
func (f *fields) time(name string) time.Time {
	s := strings.TrimSpace(f.raw(name))
	if s == "" {
		return time.Time{}
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.Abs(n) > 1e15 {
		f.fail("not_a_time", name, "is "+quote(s)+"; write epoch seconds, epoch milliseconds or RFC 3339")
		return time.Time{}
	}
	if n >= 1e11 {
		n /= 1000
	}
	return time.UnixMilli(int64(math.Round(n * 1000)))
}

// date reads yyyy-MM-dd, RFC 3339 or epoch milliseconds, and returns the day in the zone as yyyy-MM-dd.
func (f *fields) date(name string, zone *time.Location) string {
	s := strings.TrimSpace(f.raw(name))
	if s == "" {
		return ""
	}
	if _, err := time.Parse(time.DateOnly, s); err == nil {
		return s
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.In(zone).Format(time.DateOnly)
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms >= 1e11 && ms < 1e14 {
		return time.UnixMilli(ms).In(zone).Format(time.DateOnly)
	}
	f.fail("not_a_date", name, "is "+quote(s)+"; write yyyy-MM-dd, RFC 3339 or epoch milliseconds")
	return ""
}

// quote shows a wrong value: escaped, and short enough for a log line.
func quote(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strconv.Quote(s)
}
