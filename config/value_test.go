package config

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "500ms": 500 * time.Millisecond, "2s": 2 * time.Second, "1m30s": 90 * time.Second,
		"24h": day, "7d": 7 * day, "1d12h": 36 * time.Hour, " 2s ": 2 * time.Second, "106751d": 106751 * day,
	} {
		got, err := parse(kindDuration, text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "5", "two", "1.5d", "-1d", "d", "1d-1s", "106752d", "106751d24h", "1w", "99999999999999d", "1dd"} {
		_, err := parse(kindDuration, text)
		require.ErrorIs(t, err, errDuration, text)
	}
}

func TestDurationsAreWrittenWithoutZeros(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "24h": day, "2d": 2 * day, "25h": 25 * time.Hour, "1m30s": 90 * time.Second, "1h0m1s": time.Hour + time.Second,
		"10m": 10 * time.Minute, "1.5s": 1500 * time.Millisecond, "-2s": -2 * time.Second, "2562047h47m16.854775807s": math.MaxInt64,
	} {
		require.Equal(t, want, formatDuration(d))
		back, err := parseDuration(want)
		require.NoError(t, err)
		require.Equal(t, d, back)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "100": 100, "100B": 100, "256KiB": 256 << 10, "8 MiB": 8 << 20, "1gib": 1 << 30, "2TiB": 2 << 40, "5KB": 5000, "5MB": 5e6,
	} {
		got, err := parse(kindSize, text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "B", "KiB", "256K", "1M", "1.5MiB", "8388608TiB", "-8388609TiB", "x", "9223372036854775808"} {
		_, err := parse(kindSize, text)
		require.ErrorIs(t, err, errSize, text)
	}
}

func TestSizesAreWrittenInTheLargestUnitThatDividesThem(t *testing.T) {
	for want, n := range map[string]int64{"0": 0, "1000": 1000, "1KiB": 1024, "1025": 1025, "3MiB": 3 << 20, "-1KiB": -1024} {
		require.Equal(t, want, formatSize(n))
	}
}

// TestWhatIsAllowed gives values to the keys of sample, and what is said of those that are refused.
func TestWhatIsAllowed(t *testing.T) {
	for _, c := range []struct{ key, text, problem string }{
		{"name", "abc", ""},
		{"name", "", "must have a length of at least 1"},
		{"name", "abcdef", "must have a length of at most 5"},
		{"name", "안녕하세요", ""},
		{"name", "a\nb", "contains a line break or another control character"},
		{"name", "a\xff", "is not valid UTF-8"},
		{"server.port", "8080", ""},
		{"server.port", "0", "must be at least 1"},
		{"server.port", "65536", "must be at most 65535"},
		{"server.port", "http", "must be a whole number"},
		{"server.port", "1.5", "must be a whole number"},
		{"server.port", "99999999999999999999", "must be a whole number"},
		{"server.quick", "off", ""},
		{"server.quick", "YES", ""},
		{"server.quick", "2", "must be true or false"},
		{"server.modes", "z", ""},
		{"server.modes", " z , x,", ""},
		{"server.modes", "z,w", "must be one of x, y, z"},
		{"server.modes", "", "must have a number of entries of at least 1"},
		{"server.modes", "x,y,z", "must have a number of entries of at most 2"},
		{"server.late", "-1s", "must be at least 0"},
		{"server.late", "5", errDuration.Error()},
		{"main.limit", "1MiB", ""},
		{"main.limit", "-1", "must be at least 0"},
		{"main.share", "1", ""},
		{"main.share", "1.01", "must be at most 1"},
		{"main.share", "NaN", "must be a number"},
		{"main.share", "Inf", "must be a number"},
		{"token", "hunter2", ""},
		{"token", masked, "still holds <masked> in place of a secret; put the secret there, or leave the key out"},
		{"address", "redis://u:<masked>@h", "still holds <masked> in place of a secret; put the secret there, or leave the key out"},
	} {
		l := walk(new(sample)).leaf(c.key)
		before := l.text()
		problem := l.setText(c.text, "test")
		require.Equal(t, c.problem, problem, "%s = %q", c.key, c.text)
		if problem != "" {
			require.Equal(t, before, l.text(), "a refused value changes nothing")
			require.Equal(t, "default", l.origin)
		} else {
			require.Equal(t, "test", l.origin)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"broker.kind", "broker.namespace", "http.addr", "pipelines.activity.batch.size"}
	for name, want := range map[string]string{
		"broker.knid":     "broker.kind",
		"http.address":    "http.addr",
		"HTTP.ADDR":       "http.addr",
		"batch.size":      "pipelines.activity.batch.size",
		"size":            "pipelines.activity.batch.size",
		"brokernamespace": "broker.namespace",
	} {
		require.Equal(t, want, nearest(name, known, "."), name)
	}
	require.Equal(t, 1, distance("knid", "kind"), "a swap is one mistake")
	require.Equal(t, 3, distance("", "abc"))
	require.Equal(t, 2, distance("abc", "b"))
}
