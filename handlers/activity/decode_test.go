package activity

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// now is the time of all tests: 2025-10-14, 14:47:12 in Seoul.
var now = time.Date(2025, 10, 14, 5, 47, 12, 500_000_000, time.UTC)

var seoul = func() *time.Location {
	zone, err := time.LoadLocation("Asia/Seoul")
	if err != nil {
		panic(err)
	}
	return zone
}()

var testDecoder = decoder{
	maxPayload: 256 << 10, maxDuration: 24 * 60 * 60, maxFuture: 10 * time.Minute, zone: seoul,
	now: func() time.Time { return now },
}

const stream = "pomodoro_pattern_match_stream"

// entry is a message as the subscriber makes one of the n-th entry of the stream: without a UUID, with a position.
func entry(n int, payload string) *message.Message {
	msg := message.NewMessage("", []byte(payload))
	ms := now.Add(-time.Minute).UnixMilli() + int64(n)
	msg.Metadata = message.Metadata{
		delivery.KeySource: stream, delivery.KeyPosition: fmt.Sprintf("%d-0", ms), delivery.KeyPublishedAt: fmt.Sprint(ms),
	}
	return msg
}

// The entry of the contract, in each form that producers write it in.
func TestDecode(t *testing.T) {
	want := Event{
		User: "u1", Content: Content{App: "Google Chrome", Title: "a title", URL: "https://example.com/a"},
		Duration: 12, Timestamp: time.Date(2025, 10, 14, 5, 50, 32, 500_000_000, time.UTC), Dated: true,
		Session: 3, SessionDate: "2025-10-14", SessionMinutes: 25,
	}
	const common = `"app":"Google Chrome","title":"a title","url":"https://example.com/a",`
	for name, payload := range map[string]string{
		"texts, as flat fields are":  `{"userId":"u1",` + common + `"duration":"12.0","session":"3","sessionDate":"2025-10-14","sessionMinutes":"25","timestamp":"1.7604210325E9","isEnd":"false"}`,
		"values of JSON":             `{"userId":"u1",` + common + `"duration":12,"session":3,"sessionDate":"2025-10-14","sessionMinutes":25,"timestamp":1760421032.5,"isEnd":false}`,
		"epoch milliseconds":         `{"userId":"u1",` + common + `"duration":12,"session":3,"sessionDate":1760421032500,"sessionMinutes":25,"timestamp":1760421032500,"isEnd":0}`,
		"RFC 3339":                   `{"userId":"u1",` + common + `"duration":12,"session":3,"sessionDate":"2025-10-13T23:00:00Z","sessionMinutes":25,"timestamp":"2025-10-14T14:50:32.5+09:00"}`,
		"JSON-quoted values":         `{"userId":"\"u1\"","app":"\"Google Chrome\"","title":"\"a title\"","url":"\"https://example.com/a\"","duration":"12.0","session":"3","sessionDate":"\"2025-10-14\"","sessionMinutes":"25","timestamp":"\"2025-10-14T05:50:32.5Z\"","isEnd":"false"}`,
		"null as empty text":         `{"userId":"u1",` + common + `"duration":12,"session":3,"sessionDate":"2025-10-14","sessionMinutes":25,"timestamp":1760421032.5,"isEnd":"","categorizedDataId":"","pomodoroUsageLogId":""}`,
		"null":                       `{"userId":"u1",` + common + `"duration":12,"session":3,"sessionDate":"2025-10-14","sessionMinutes":25,"timestamp":1760421032.5,"isEnd":null,"categorizedDataId":null,"pomodoroUsageLogId":null}`,
		"the class that Spring adds": `{"_class":"app.Event","@class":"app.Event","userId":"u1",` + common + `"duration":12,"session":3,"sessionDate":"2025-10-14","sessionMinutes":25,"timestamp":1760421032.5}`,
		"an object written as text":  `"{\"userId\":\"u1\",\"app\":\"Google Chrome\",\"title\":\"a title\",\"url\":\"https://example.com/a\",\"duration\":12,\"session\":3,\"sessionDate\":\"2025-10-14\",\"sessionMinutes\":25,\"timestamp\":1760421032.5}"`,
		"space around":               ` {"userId":" u1 ",` + common + `"duration":" 12.0 ","session":" 3 ","sessionDate":" 2025-10-14 ","sessionMinutes":"25 ","timestamp":" 1760421032.5","isEnd":" FALSE "} `,
	} {
		t.Run(name, func(t *testing.T) {
			msg := entry(1, payload)
			decoded, err := testDecoder.decode(msg)
			require.NoError(t, err)
			want.ID, want.Delivery = decoded.ID, delivery.Of(msg)
			require.Equal(t, want, decoded.Event)
			require.Equal(t, want.Content.ID(), decoded.contentID)
		})
	}
}

func TestDecodeWhatMayBeAbsent(t *testing.T) {
	decoded, err := testDecoder.decode(entry(1, `{"userId":"u1","url":"https://example.com","duration":0}`))
	require.NoError(t, err)
	require.Equal(t, now.Add(-time.Minute).Add(time.Millisecond), decoded.Timestamp, "when the broker took the entry")
	require.False(t, decoded.Dated)
	require.Equal(t, "2025-10-14", decoded.SessionDate, "of the timestamp, in the zone of the boards")
	require.False(t, decoded.IsEnd)

	msg := entry(1, `{"userId":"u1","title":"a","duration":1}`)
	delete(msg.Metadata, delivery.KeyPublishedAt)
	decoded, err = testDecoder.decode(msg)
	require.NoError(t, err)
	require.Equal(t, now, decoded.Timestamp, "where the broker does not tell")
}

func TestDecodeValues(t *testing.T) {
	event := func(t *testing.T, fields string) *Event {
		t.Helper()
		decoded, err := testDecoder.decode(entry(1, `{"userId":"u1","app":"Code","duration":1,`+fields+`}`))
		require.NoError(t, err, fields)
		return &decoded.Event
	}
	for _, yes := range []string{`true`, `1`, `"true"`, `"1"`, `"TRUE"`, `"\"true\""`} {
		require.True(t, event(t, `"isEnd":`+yes).IsEnd, yes)
	}
	for _, no := range []string{`false`, `0`, `"false"`, `"0"`, `""`, `null`} {
		require.False(t, event(t, `"isEnd":`+no).IsEnd, no)
	}
	for text, seconds := range map[string]float64{`0`: 0, `"0.0"`: 0, `86400`: 86400, `1e3`: 1000, `"1.25E1"`: 12.5} {
		require.Equal(t, seconds, event(t, `"duration":`+text).Duration, text)
	}
	require.Equal(t, now.Add(10*time.Minute), event(t, `"timestamp":"2025-10-14T05:57:12.5Z"`).Timestamp, "as far ahead as is allowed")
	require.Equal(t, 1760421032123*time.Millisecond, time.Duration(event(t, `"timestamp":1760421032.1234567`).Timestamp.UnixNano()), "whole milliseconds")
	require.Equal(t, `{"a":1}`, event(t, `"title":"{\"a\":1}"`).Content.Title, "only quoted text is unquoted")
	require.Equal(t, `"a" and "b"`, event(t, `"title":"\"a\" and \"b\""`).Content.Title)
	require.Equal(t, "한국어 🙂", event(t, `"title":"한국어 \ud83d\ude42"`).Content.Title)
	id := "66f0a1b2c3d4e5f601234567"
	explicit := event(t, `"pomodoroUsageLogId":"`+id+`","categorizedDataId":"`+strings.ToUpper(id)+`"`)
	require.Equal(t, id, explicit.ID.String())
	require.Equal(t, id, explicit.ContentID.String())
	require.True(t, explicit.Explicit)
}

func TestDecodeBadInput(t *testing.T) {
	const ok = `"userId":"u1","app":"Code","duration":1`
	for name, test := range map[string]struct{ payload, code, says string }{
		"no userId":                 {`{"app":"Code","duration":1}`, "missing_field", "userId is missing"},
		"an empty userId":           {`{"userId":"","app":"Code","duration":1}`, "missing_field", "userId is missing"},
		"a userId of spaces":        {`{"userId":"  ","app":"Code","duration":1}`, "missing_field", "userId is missing"},
		"a userId that is null":     {`{"userId":null,"app":"Code","duration":1}`, "missing_field", "userId is missing"},
		"a long userId":             {`{"userId":"` + strings.Repeat("u", 257) + `","app":"Code","duration":1}`, "too_long", "257 bytes"},
		"neither app, title, url":   {`{"userId":"u1","app":"","title":null,"duration":1}`, "missing_field", "app, title and url are all missing"},
		"no duration":               {`{"userId":"u1","app":"Code"}`, "missing_field", "duration is missing"},
		"an empty duration":         {`{"userId":"u1","app":"Code","duration":""}`, "missing_field", "duration is missing"},
		"a duration in words":       {`{"userId":"u1","app":"Code","duration":"long"}`, "not_a_number", `duration is "long"`},
		"a duration that is true":   {`{"userId":"u1","app":"Code","duration":true}`, "not_a_number", `duration is "true"`},
		"a negative duration":       {`{"userId":"u1","app":"Code","duration":-0.5}`, "out_of_range", "duration is -0.5"},
		"a duration that is NaN":    {`{"userId":"u1","app":"Code","duration":"NaN"}`, "not_a_number", `duration is "NaN"`},
		"an infinite duration":      {`{"userId":"u1","app":"Code","duration":"Infinity"}`, "not_a_number", "duration is"},
		"a huge duration":           {`{"userId":"u1","app":"Code","duration":1e999}`, "not_a_number", "duration is"},
		"more than a day":           {`{"userId":"u1","app":"Code","duration":86400.001}`, "out_of_range", "between 0 and 86400"},
		"a timestamp in words":      {`{` + ok + `,"timestamp":"yesterday"}`, "not_a_time", `timestamp is "yesterday"`},
		"a timestamp that is NaN":   {`{` + ok + `,"timestamp":"NaN"}`, "not_a_time", "timestamp is"},
		"a timestamp far ahead":     {`{` + ok + `,"timestamp":"2025-10-14T05:57:12.501Z"}`, "out_of_range", "further ahead"},
		"a timestamp long ago":      {`{` + ok + `,"timestamp":0}`, "out_of_range", "before 2000-01-01"},
		"the year one":              {`{` + ok + `,"timestamp":"0001-01-01T00:00:00Z"}`, "out_of_range", "before 2000-01-01"},
		"a negative timestamp":      {`{` + ok + `,"timestamp":-1760421032}`, "out_of_range", "before 2000-01-01"},
		"a date in words":           {`{` + ok + `,"sessionDate":"14.10.2025"}`, "not_a_date", `sessionDate is "14.10.2025"`},
		"a day that does not exist": {`{` + ok + `,"sessionDate":"2025-02-30"}`, "not_a_date", `sessionDate is`},
		"a session of a half":       {`{` + ok + `,"session":1.5}`, "out_of_range", `session is "1.5"`},
		"a negative session":        {`{` + ok + `,"session":-1}`, "out_of_range", `session is "-1"`},
		"very many minutes":         {`{` + ok + `,"sessionMinutes":2147483648}`, "out_of_range", "sessionMinutes is"},
		"a vague isEnd":             {`{` + ok + `,"isEnd":"maybe"}`, "not_a_boolean", `isEnd is "maybe"`},
		"a short id":                {`{` + ok + `,"pomodoroUsageLogId":"66f"}`, "not_an_id", "pomodoroUsageLogId is"},
		"an id of zeros":            {`{` + ok + `,"categorizedDataId":"` + strings.Repeat("0", 24) + `"}`, "not_an_id", "categorizedDataId is"},
		"an app that is a list":     {`{"userId":"u1","app":["Code"],"duration":1}`, "wrong_type", "app is an object or a list"},
		"a character U+0000":        {`{"userId":"u1","app":"Co\u0000de","duration":1}`, "nul_character", "app contains"},
		"a quoted U+0000":           {`{"userId":"u1","app":"\"Co\\u0000de\"","duration":1}`, "nul_character", "app contains"},
		"a U+0000 in the user":      {`{"userId":"u1\u0000","app":"Code","duration":1}`, "nul_character", "userId contains"},
		"invalid UTF-8":             {"{\"userId\":\"u1\",\"app\":\"Co\xffde\",\"duration\":1}", "invalid_utf8", "UTF-8"},
		"no JSON":                   {`userId=u1`, "invalid_json", "not JSON"},
		"JSON that is cut":          {`{"userId":"u1","app":"Co`, "invalid_json", "not JSON"},
		"two objects":               {`{` + ok + `}{` + ok + `}`, "invalid_json", "not JSON"},
		"a list":                    {`[{` + ok + `}]`, "invalid_json", "not a JSON object"},
		"a text":                    {`"u1"`, "invalid_json", "not a JSON object"},
		"nothing":                   {``, "invalid_json", "not JSON"},
		"a large payload":           {`{` + ok + `,"title":"` + strings.Repeat("x", 256<<10) + `"}`, "too_large", "at most 262144"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := testDecoder.decode(entry(1, test.payload))
			require.ErrorContains(t, err, test.says)
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			require.Equal(t, test.code, fault.Of(err).Code)
			require.Less(t, len(err.Error()), 300, "a wrong value is not repeated in full")
		})
	}
	t.Run("an entry that the subscriber could not decode", func(t *testing.T) {
		msg := entry(1, `{"userId":"u1","app":"Code","duration":1}`)
		msg.Metadata[delivery.KeyMalformed] = "metadata is not msgpack"
		_, err := testDecoder.decode(msg)
		require.ErrorContains(t, err, "metadata is not msgpack")
		require.Equal(t, "malformed", fault.Of(err).Code)
	})
	t.Run("nesting that would overflow the stack", func(t *testing.T) {
		large := testDecoder
		large.maxPayload = 16 << 20
		for _, payload := range []string{
			strings.Repeat("[", 16<<20), strings.Repeat(`{"a":`, 3<<20), `"` + strings.Repeat("[", 15<<20) + `"`, strings.Repeat(`["\"`, 4<<20),
		} {
			_, err := large.decode(entry(1, payload))
			require.Equal(t, fault.Invalid, fault.KindOf(err))
		}
	})
	t.Run("brackets in a text are no nesting", func(t *testing.T) {
		title := strings.Repeat("[", 5000)
		decoded, err := testDecoder.decode(entry(1, `{"userId":"u1","title":"\"`+title+`","duration":1}`))
		require.NoError(t, err)
		require.Equal(t, `"`+title, decoded.Content.Title)
	})
	t.Run("a longest userId", func(t *testing.T) {
		_, err := testDecoder.decode(entry(1, `{"userId":"`+strings.Repeat("u", 256)+`","app":"Code","duration":1}`))
		require.NoError(t, err)
	})
}

func identityOf(t *testing.T, msg *message.Message) ID {
	t.Helper()
	decoded, err := testDecoder.decode(msg)
	require.NoError(t, err)
	return decoded.ID
}

// The identity of an event is the producer's id, else the UUID, else the place where it first stood, and survives
// redelivery and redrive.
func TestIdentity(t *testing.T) {
	const payload = `{"userId":"u1","app":"Code","duration":1}`
	first := identityOf(t, entry(1, payload))

	again := entry(1, `{"userId":"u2","app":"Vim","duration":2}`)
	again.Metadata[delivery.KeyDeliveries] = "5"
	require.Equal(t, first, identityOf(t, again), "of the place, whatever stands there")
	require.NotEqual(t, first, identityOf(t, entry(2, payload)))

	elsewhere := entry(1, payload)
	elsewhere.Metadata[delivery.KeySource] = "another"
	require.NotEqual(t, first, identityOf(t, elsewhere))

	redriven := entry(900, payload)
	redriven.Metadata[KeyOrigin] = stream + "@" + entry(1, payload).Metadata[delivery.KeyPosition]
	require.Equal(t, first, identityOf(t, redriven))

	odd := entry(1, payload)
	odd.Metadata[delivery.KeySource] = "events@eu"
	oddly := entry(900, payload)
	oddly.Metadata[KeyOrigin] = "events@eu@" + odd.Metadata[delivery.KeyPosition]
	require.Equal(t, identityOf(t, odd), identityOf(t, oddly), "a topic with an @ in its name")

	named := entry(1, payload)
	named.UUID = "9f8b"
	other := entry(2, payload)
	other.UUID = "9f8b"
	require.Equal(t, identityOf(t, named), identityOf(t, other), "the UUID goes before the place")
	require.NotEqual(t, first, identityOf(t, named))

	explicit := entry(1, `{"userId":"u1","app":"Code","duration":1,"pomodoroUsageLogId":"66f0a1b2c3d4e5f601234567"}`)
	explicit.UUID = "9f8b"
	require.Equal(t, "66f0a1b2c3d4e5f601234567", identityOf(t, explicit).String(), "and the producer's id before both")

	nowhere := message.NewMessage("", []byte(payload))
	_, err := testDecoder.decode(nowhere)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.Equal(t, "no_identity", fault.Of(err).Code)
}

// Ids from places begin with their seconds: neighbours in the stream are neighbours in the index.
func TestIdentityOfAPlaceIsInOrder(t *testing.T) {
	early, late := identityOf(t, entry(0, `{"userId":"u1","app":"Code","duration":1}`)), identityOf(t, entry(5000, `{"userId":"u1","app":"Code","duration":1}`))
	require.Less(t, early.String(), late.String())
	require.Equal(t, fmt.Sprintf("%08x", now.Add(-time.Minute).Unix()), early.String()[:8])
}

func TestContentID(t *testing.T) {
	seen := map[ID]Content{}
	for _, content := range []Content{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "c", "b"}, {"", "a", ""}, {"a", "", ""}, {"", "", "a"}, {}, {"abc", "", ""}, {"a", "bc", ""}} {
		require.NotContains(t, seen, content.ID())
		seen[content.ID()] = content
	}
	require.Equal(t, Content{"a", "b", "c"}.ID(), Content{"a", "b", "c"}.ID())
}

func TestParseID(t *testing.T) {
	id, err := ParseID("66F0a1b2c3d4e5f601234567")
	require.NoError(t, err)
	require.Equal(t, "66f0a1b2c3d4e5f601234567", id.String())
	for _, text := range []string{"", "66f", "66f0a1b2c3d4e5f60123456", "66f0a1b2c3d4e5f6012345678", "zzf0a1b2c3d4e5f601234567"} {
		_, err := ParseID(text)
		require.ErrorContains(t, err, "24 hexadecimal digits")
	}
}

// Whatever comes, decoding ends with an event that keeps all promises or with an invalid error, never with a panic.
func FuzzDecode(f *testing.F) {
	for _, payload := range []string{
		`{"userId":"u1","app":"Code","duration":"12.0","timestamp":"1.7604210325E9","session":"3","sessionDate":"2025-10-14","isEnd":"true"}`,
		`{"userId":"\"u1\"","title":"\u0000","duration":1e999}`, `"{\"userId\":\"u1\"}"`, `{"duration":"NaN"}`, `[[[[`, `{"":{}}`, "\xff", ``,
		`{"userId":"u1","url":"\ud800","duration":1,"sessionDate":99999999999999,"timestamp":"9999-12-31T23:59:59Z"}`,
	} {
		f.Add([]byte(payload), "")
	}
	f.Add([]byte(`{"userId":"u1","app":"Code","duration":1}`), "uuid")
	f.Fuzz(func(t *testing.T, payload []byte, uuid string) {
		msg := entry(1, string(payload))
		msg.UUID = uuid
		decoded, err := testDecoder.decode(msg)
		if err != nil {
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			require.True(t, utf8.ValidString(err.Error()))
			return
		}
		e := decoded.Event
		require.NotEmpty(t, e.User)
		require.LessOrEqual(t, len(e.User), maxUser)
		require.NotZero(t, e.Content)
		require.False(t, e.ID.IsZero())
		require.True(t, e.Duration >= 0 && e.Duration <= testDecoder.maxDuration && !math.IsNaN(e.Duration))
		require.False(t, e.Timestamp.After(now.Add(testDecoder.maxFuture)))
		_, err = time.Parse(time.DateOnly, e.SessionDate)
		require.NoError(t, err)
		for _, text := range []string{e.User, e.Content.App, e.Content.Title, e.Content.URL} {
			require.True(t, utf8.ValidString(text))
			require.NotContains(t, text, "\x00")
		}
	})
}
