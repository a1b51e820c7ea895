package activity_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

func checker(t *testing.T, now func() time.Time) activity.Checker {
	t.Helper()
	check, err := activity.NewChecker(activity.Config{
		TimeZone: "Asia/Seoul", MaxDuration: 24 * time.Hour, MaxFuture: 10 * time.Minute, MaxPayload: 1 << 10,
	}, now)
	require.NoError(t, err)
	return check
}

// payloadOf returns what a subscriber makes of an entry of flat fields.
func payloadOf(t *testing.T, entry []activity.Field) []byte {
	t.Helper()
	object := map[string]string{}
	for _, field := range entry {
		require.NotContains(t, object, field.Name)
		object[field.Name] = field.Value
	}
	payload, err := json.Marshal(object)
	require.NoError(t, err)
	return payload
}

func TestCheckJudgesAsThePipelineDoes(t *testing.T) {
	check := checker(t, func() time.Time { return time.Date(2025, 10, 14, 12, 0, 0, 0, time.UTC) })
	for _, test := range []struct{ name, payload, wrong string }{
		{"complete", `{"userId":"u1","app":"Code","duration":12.5,"timestamp":"2025-10-14T12:00:00Z"}`, ""},
		{"without identity and time", `{"userId":"u1","url":"https://go.dev","duration":"1"}`, ""},
		{"not JSON", `userId=u1`, "the payload is not JSON"},
		{"no user", `{"app":"Code","duration":1}`, "userId is missing"},
		{"a negative duration", `{"userId":"u1","app":"Code","duration":-1}`, "duration is -1 seconds"},
		{"the future", `{"userId":"u1","app":"Code","duration":1,"timestamp":1760443860}`, "further ahead"},
		{"too large", `{"userId":"u1","app":"Code","duration":1,"title":"` + strings.Repeat("x", 1<<10) + `"}`, "at most 1024 are decoded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			event, err := check.Check([]byte(test.payload))
			if test.wrong == "" {
				require.NoError(t, err)
				require.Equal(t, "u1", event.User)
				return
			}
			require.ErrorContains(t, err, test.wrong)
			require.Equal(t, fault.Invalid, fault.KindOf(err))
		})
	}
}

func TestCheckerRefusesAnUnknownTimeZone(t *testing.T) {
	_, err := activity.NewChecker(activity.Config{TimeZone: "Atlantis/Capital"}, time.Now)
	require.Error(t, err)
}

func TestFlatEntriesDecodeToTheSameEvent(t *testing.T) {
	check := checker(t, func() time.Time { return time.Date(2025, 10, 14, 12, 0, 0, 0, time.UTC) })
	for _, payload := range []string{
		`{"userId":"u1","app":"Code","duration":12.50,"isEnd":true,"session":3,"timestamp":1.7604210325E9}`,
		`{"userId":"\"u1\"","app":null,"title":"제목 \"a\"\n","url":"https:\/\/go.dev","duration":"1e1","isEnd":1}`,
		`{"userId":"first","userId":"last","app":"Code","duration":1}`,
		`{"userId":"u1","app":"Code","duration":1,"more":{"a":[1]},"_class":"x","payload":"y","":0,"_watermill_message_uuid":"z"}`,
	} {
		entry, ok := activity.Flat([]byte(payload))
		require.True(t, ok)
		before, err := check.Check([]byte(payload))
		require.NoError(t, err)
		after, err := check.Check(payloadOf(t, entry))
		require.NoError(t, err)
		require.Equal(t, before, after, payload)
	}
}

func TestFlatKeepsTextAsItIsWritten(t *testing.T) {
	entry, ok := activity.Flat([]byte(`{"isEnd":false,"duration":12.0,"app":null,"userId":"u1","colour":"red"}`))
	require.True(t, ok)
	require.Equal(t, []activity.Field{{"userId", "u1"}, {"app", ""}, {"duration", "12.0"}, {"isEnd", "false"}}, entry)
	for _, other := range []string{`[]`, `"{}"`, `12`, ``, `null`} {
		_, ok := activity.Flat([]byte(other))
		require.False(t, ok, other)
	}
}
