package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// Two weeks whose year is not that of their days, a month that is not padded, and a day that has begun in Seoul only.
var (
	october = time.Date(2025, 10, 14, 3, 30, 32, 500_000_000, time.UTC)
	lateDec = time.Date(2025, 12, 30, 1, 0, 0, 0, time.UTC)          // 2026-W1
	newYear = time.Date(2020, 12, 31, 15, 0, 0, 7_000_000, time.UTC) // 2021-01-01 in Seoul, 2020-W53
	feb     = time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)
)

// form is an entry in one of the accepted forms.
type form struct {
	name   string
	fields []string
	want   event
}

// spring is an event as the Spring server writes it, with the given fields changed or, for "-", left out.
func spring(user string, changes ...string) []string {
	fields := []string{
		"userId", user, "app", "Google Chrome", "title", "golang/go: The Go programming language", "url", "https://github.com/golang/go",
		"duration", "12.0", "session", "3", "sessionDate", "2025-10-14", "sessionMinutes", "25", "timestamp", "1.7604126325E9", "isEnd", "false",
	}
	for change := range slices.Chunk(changes, 2) {
		at := slices.Index(fields, change[0])
		switch {
		case at < 0:
			fields = append(fields, change...)
		case change[1] == "-":
			fields = slices.Delete(fields, at, at+2)
		default:
			fields[at+1] = change[1]
		}
	}
	return fields
}

// said is what spring says, changed.
func said(user string, change func(*event)) event {
	v := event{
		user: user, app: "Google Chrome", title: "golang/go: The Go programming language", url: "https://github.com/golang/go",
		category: "Development", at: october, millis: 12_000, session: 3, minutes: 25, date: "2025-10-14",
	}
	if change != nil {
		change(&v)
	}
	return v
}

func at(when time.Time) func(*event) { return func(v *event) { v.at = when } }

func envelope(t testing.TB, uuid, payload string, metadata message.Metadata) []string {
	msg := message.NewMessage(uuid, []byte(payload))
	msg.Metadata = metadata
	values, err := redisstream.DefaultMarshallerUnmarshaller{}.Marshal(topic, msg)
	require.NoError(t, err)
	var fields []string
	for _, name := range []string{"_watermill_message_uuid", "metadata", "payload"} {
		fields = append(fields, name, fmt.Sprintf("%s", values[name]))
	}
	return fields
}

func quoted(fields []string) []string {
	all := slices.Clone(fields)
	for n := 1; n < len(all); n += 2 {
		all[n] = strconv.Quote(all[n])
	}
	return all
}

func forms(t testing.TB) []form {
	typed := `{"userId":"%s","app":"Google Chrome","title":"golang/go: The Go programming language","url":"https://github.com/golang/go",` +
		`"duration":12,"session":3,"sessionDate":"2025-10-14","sessionMinutes":25,"timestamp":1760412632.5,"isEnd":false,"categorizedDataId":null,"extra":{"a":[1]}}`
	none := func(v *event) { v.session, v.minutes, v.date = 0, 0, "" }
	return []form{
		{"flat fields", spring("flat"), said("flat", nil)},
		{"flat fields, fewest", []string{"userId", "few", "app", "Code", "duration", "0.25"},
			event{user: "few", app: "Code", category: "Development", millis: 250}},
		{"a URL only", []string{"userId", "url", "url", "https://GitHub.com:443/golang/go?q=1", "duration", "1"},
			event{user: "url", url: "https://GitHub.com:443/golang/go?q=1", category: "Development", millis: 1000}},
		{"a title only", []string{"userId", "title", "title", "무제 🙂", "duration", "1e0"},
			event{user: "title", title: "무제 🙂", category: "Uncategorized", millis: 1000}},
		{"with _class", spring("class", "_class", "com.example.PomodoroEvent", "@class", "com.example.Other"), said("class", nil)},
		{"JSON-quoted values", quoted(spring("quoted")), said("quoted", nil)},
		{"booleans as 1 and 0", spring("zero", "isEnd", "0"), said("zero", nil)},
		{"the end as 1", spring("one", "isEnd", "1", "session", "7"), said("one", func(v *event) { v.end, v.session = true, 7 })},
		{"the end as true", spring("ends", "isEnd", "true", "sessionDate", "2025-10-13"), said("ends", func(v *event) { v.end, v.date = true, "2025-10-13" })},
		{"RFC 3339", spring("rfc", "timestamp", "2025-12-30T10:00:00+09:00"), said("rfc", at(lateDec))},
		{"RFC 3339 in UTC", spring("utc", "timestamp", "2020-12-31T15:00:00.007Z"), said("utc", at(newYear))},
		{"epoch milliseconds", spring("millis", "timestamp", strconv.FormatInt(feb.UnixMilli(), 10)), said("millis", at(feb))},
		{"epoch seconds", spring("seconds", "timestamp", strconv.FormatInt(feb.Unix(), 10)), said("seconds", at(feb))},
		{"a session date in epoch milliseconds", spring("day", "sessionDate", strconv.FormatInt(newYear.UnixMilli(), 10)),
			said("day", func(v *event) { v.date = "2021-01-01" })},
		{"a session date in RFC 3339", spring("rfcday", "sessionDate", "2025-10-13T15:00:00Z"), said("rfcday", nil)},
		{"null as an empty string", spring("nulls", "title", "", "session", "", "sessionDate", "", "sessionMinutes", "", "isEnd", "",
			"categorizedDataId", "", "pomodoroUsageLogId", ""), said("nulls", func(v *event) { none(v); v.title = "" })},
		{"no timestamp", spring("undated", "timestamp", "-", "sessionDate", "-"), said("undated", func(v *event) { v.at, v.date = time.Time{}, "" })},
		{"an empty timestamp", spring("empty", "timestamp", ""), said("empty", at(time.Time{}))},
		{"an envelope", envelope(t, "7f1c7bbb-0000-4000-8000-000000000001", fmt.Sprintf(typed, "enveloped"), message.Metadata{"trace": "abc"}), said("enveloped", nil)},
		{"an envelope of strings", envelope(t, "7f1c7bbb-0000-4000-8000-000000000002", object(spring("strings")), nil), said("strings", nil)},
		{"one field payload", []string{"payload", fmt.Sprintf(typed, "payload")}, said("payload", nil)},
		{"one field data", []string{"data", object(quoted(spring("data")))}, said("data", nil)},
		{"one field message", []string{"_class", "x", "message", strconv.Quote(`{"userId":"message","app":"Code","duration":"1"}`)},
			event{user: "message", app: "Code", category: "Development", millis: 1000}},
		{"no time spent", spring("idle", "duration", "0"), said("idle", func(v *event) { v.millis = 0 })},
		{"a whole day", spring("long", "duration", "86400"), said("long", func(v *event) { v.millis = 86_400_000 })},
	}
}

// Entries in every accepted form, as redis-cli or a producer adds them, become the records that they say and count on the
// boards that they belong to.
func TestAcceptedForms(t *testing.T) {
	onEach(t, func(t *testing.T, db store) {
		w := newWorld(t, db)
		worker := w.run()
		var entries []*entry
		for _, f := range forms(t) {
			entries = append(entries, &entry{fields: f.fields, event: &f.want})
		}
		w.publish(entries...)
		w.drained(30 * time.Second)
		worker.terminate()
		w.addsUp(entries)
		require.Empty(t, w.letters())

		require.Equal(t, map[session]bool{{"one", "2025-10-14", "7"}: true, {"ends", "2025-10-13", "3"}: true}, w.announced())
		require.EqualValues(t, 2, w.redis.XLen(t.Context(), scores).Val())
	})
}

// What the producer names, it may have created before, or not, or in part; and what it repeats counts once.
func TestNamedDocuments(t *testing.T) {
	onEach(t, func(t *testing.T, db store) {
		const (
			newLog, createdLog, repeatedLog                       = "66f0000000000000000000a1", "66f0000000000000000000a2", "66f0000000000000000000a3"
			newContent, createdContent, bareContent, knownContent = "66f0000000000000000000b1", "66f0000000000000000000b2", "66f0000000000000000000b3", "66f0000000000000000000b4"
		)
		w := newWorld(t, db)
		w.run().terminate() // makes the tables and the categories
		db.createLog(t, createdLog)
		db.createContent(t, content{id: createdContent, app: "Code", title: "created", category: "Development"})
		db.createContent(t, content{id: bareContent, app: "Code", title: "bare"})
		db.createContent(t, content{id: knownContent, app: "Frobnicator", title: "known", category: "Game"})
		worker := w.run()

		uuid := "7f1c7bbb-0000-4000-8000-00000000000a"
		code := func(title string) func(*event) {
			return func(v *event) { v.app, v.title, v.url = "Code", title, "" }
		}
		front := func(app, title, contentID string) []string {
			return []string{"app", app, "title", title, "url", "", "categorizedDataId", contentID}
		}
		enveloped := said("enveloped", nil)
		repeated := said("repeated", nil)
		entries := []*entry{
			{fields: spring("new", "pomodoroUsageLogId", newLog), event: new(said("new", nil))},
			{fields: spring("created", "pomodoroUsageLogId", createdLog), event: new(said("created", nil))},
			{fields: spring("repeated", "pomodoroUsageLogId", repeatedLog), event: &repeated, identity: repeatedLog},
			{fields: envelope(t, uuid, object(spring("enveloped")), nil), event: &enveloped, identity: uuid},
			{fields: spring("c1", front("Code", "fresh", newContent)...), event: new(said("c1", code("fresh")))},
			{fields: spring("c2", front("Code", "created", createdContent)...), event: new(said("c2", code("created")))},
			{fields: spring("c3", front("Code", "bare", bareContent)...), event: new(said("c3", code("bare")))},
			{fields: spring("c4", front("Frobnicator", "known", "")...), event: new(said("c4", func(v *event) {
				v.app, v.title, v.url, v.category = "Frobnicator", "known", "", "Game"
			}))},
		}
		w.publish(entries...)
		w.drained(30 * time.Second)
		// Long after the ack floor has passed them, in another form, and in a batch with themselves.
		again := []*entry{
			{fields: []string{"data", object(spring("repeated", "pomodoroUsageLogId", repeatedLog))}, event: &repeated, identity: repeatedLog},
			{fields: envelope(t, uuid, object(spring("enveloped")), nil), event: &enveloped, identity: uuid},
			{fields: spring("repeated", "pomodoroUsageLogId", repeatedLog), event: &repeated, identity: repeatedLog},
		}
		floor := func() string { return w.redis.HGet(t.Context(), "leat:activity:floor", topic).Val() }
		until(t, 10*time.Second, func() bool { return floor() != "" && redisID(t, floor()) > entries[len(entries)-1].id },
			func() string { return "the ack floor passes the entries: " + floor() })
		w.publish(again...)
		w.drained(30 * time.Second)
		worker.terminate()
		w.addsUp(append(entries, again...))

		ids := map[string]record{}
		for _, r := range db.records(t) {
			ids[r.user] = r
		}
		require.Equal(t, newLog, ids["new"].id)
		require.Equal(t, createdLog, ids["created"].id)
		require.Equal(t, newContent, ids["c1"].contentID)
		require.Equal(t, createdContent, ids["c2"].contentID)
		require.Equal(t, bareContent, ids["c3"].contentID)
		require.Equal(t, knownContent, ids["c4"].contentID)
		require.Subset(t, db.contents(t), []content{
			{id: newContent, app: "Code", title: "fresh", category: "Development"},
			{id: createdContent, app: "Code", title: "created", category: "Development"},
			{id: bareContent, app: "Code", title: "bare", category: "Development"},
			{id: knownContent, app: "Frobnicator", title: "known", category: "Game"},
		})
		require.Len(t, db.contents(t), 5, "one document for each distinct content")
		if s, ok := db.(*mongoStore); ok {
			for _, d := range all[logDocument](t, s, "pomodoro_usage_log") {
				require.Equal(t, d.ID.Hex() == createdLog, d.Note != "", "what the producer wrote beside stays")
			}
		}
	})
}
