package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// bad is an entry that cannot succeed.
type bad struct {
	name    string
	fields  []string
	code    string
	says    string // part of the error
	payload string // of the dead letter; empty: the fields as a JSON object
}

// raw is the payload of a dead letter whose fields could not be decoded.
func raw(fields ...string) string {
	members := []map[string]string{}
	for n := 0; n < len(fields); n += 2 {
		member := map[string]string{"name": fields[n], "value": fields[n+1]}
		if strings.ToValidUTF8(fields[n+1], "?") != fields[n+1] {
			member = map[string]string{"name": fields[n], "base64": base64.StdEncoding.EncodeToString([]byte(fields[n+1]))}
		}
		members = append(members, member)
	}
	text, _ := json.Marshal(members)
	return string(text)
}

func badInput() []bad {
	far := strconv.FormatInt(time.Now().Add(11*time.Minute).UnixMilli(), 10)
	huge := strings.Repeat("x", 256<<10)
	invalid := spring("bad", "title", "broken \xff\xfe text")
	return []bad{
		{name: "no userId", fields: spring("bad", "userId", "-"), code: "missing_field", says: "userId"},
		{name: "an empty userId", fields: spring(" "), code: "missing_field", says: "userId"},
		{name: "nothing in front", fields: spring("bad", "app", "-", "title", "", "url", "-"), code: "missing_field", says: "app, title and url"},
		{name: "no duration", fields: spring("bad", "duration", "-"), code: "missing_field", says: "duration"},
		{name: "an empty duration", fields: spring("bad", "duration", ""), code: "missing_field", says: "duration"},
		{name: "an unparsable duration", fields: spring("bad", "duration", "twelve"), code: "not_a_number", says: "duration"},
		{name: "a negative duration", fields: spring("bad", "duration", "-0.001"), code: "out_of_range", says: "duration"},
		{name: "a NaN duration", fields: spring("bad", "duration", "NaN"), code: "not_a_number", says: "duration"},
		{name: "an infinite duration", fields: spring("bad", "duration", "Infinity"), code: "not_a_number", says: "duration"},
		{name: "more than a day", fields: spring("bad", "duration", "86400.001"), code: "out_of_range", says: "86400"},
		{name: "an unparsable timestamp", fields: spring("bad", "timestamp", "yesterday"), code: "not_a_time", says: "timestamp"},
		{name: "an unparsable date", fields: spring("bad", "sessionDate", "2025-13-14"), code: "not_a_date", says: "sessionDate"},
		{name: "a timestamp ahead", fields: spring("bad", "timestamp", far), code: "out_of_range", says: "ahead"},
		{name: "a negative session", fields: spring("bad", "session", "-1"), code: "out_of_range", says: "session"},
		{name: "a strange boolean", fields: spring("bad", "isEnd", "perhaps"), code: "not_a_boolean", says: "isEnd"},
		{name: "a strange id", fields: spring("bad", "pomodoroUsageLogId", "17"), code: "not_an_id", says: "pomodoroUsageLogId"},
		{name: "a long userId", fields: spring(strings.Repeat("가", 86)), code: "too_long", says: "256"},
		{name: "U+0000", fields: spring("bad", "title", "a\x00b"), code: "nul_character", says: "title"},
		{name: "escaped U+0000 in JSON", fields: []string{"payload", `{"userId":"bad","app":"a\u0000b","duration":1}`}, code: "nul_character", says: "app",
			payload: `{"userId":"bad","app":"a\u0000b","duration":1}`},
		{name: "a payload too large", fields: spring("bad", "title", huge), code: "too_large", says: "262144"},
		{name: "invalid UTF-8", fields: invalid, code: "malformed", says: "title", payload: raw(invalid...)},
		{name: "invalid UTF-8 in JSON", fields: []string{"payload", "{\"userId\":\"\xff\"}"}, code: "invalid_utf8", says: "UTF-8", payload: "{\"userId\":\"\xff\"}"},
		{name: "a field twice", fields: []string{"userId", "bad", "userId", "worse", "app", "Code", "duration", "1"}, code: "malformed", says: "repeated",
			payload: raw("userId", "bad", "userId", "worse", "app", "Code", "duration", "1")},
		{name: "no JSON", fields: []string{"payload", "userId=bad"}, code: "invalid_json", says: "JSON", payload: "userId=bad"},
		{name: "half an object", fields: []string{"data", `{"userId":"bad",`}, code: "invalid_json", says: "JSON", payload: `{"userId":"bad",`},
		{name: "a list", fields: []string{"message", `[1]`}, code: "invalid_json", says: "object", payload: `[1]`},
		{name: "an object for a text", fields: []string{"payload", `{"userId":{"a":1},"app":"x","duration":1}`}, code: "wrong_type", says: "userId",
			payload: `{"userId":{"a":1},"app":"x","duration":1}`},
		{name: "an envelope with broken metadata", fields: []string{"_watermill_message_uuid", "u-1", "metadata", "\xc1", "payload", "{}"}, code: "malformed",
			payload: raw("_watermill_message_uuid", "u-1", "metadata", "\xc1", "payload", "{}")},
	}
}

// Bad entries go to the DLQ at once, with all that they carried and why; what stands before, behind and between them in the same
// batch is handled as if they were not there.
func TestBadInput(t *testing.T) {
	for _, kind := range stores {
		t.Run(kind.name, func(t *testing.T) {
			w := newWorld(t, kind.open(t))
			all := badInput()
			var entries []*entry
			good := func() {
				entries = append(entries, &entry{fields: spring("good"), event: new(said("good", nil))})
			}
			for _, b := range all {
				good()
				entries = append(entries, &entry{fields: b.fields})
			}
			good()
			w.publish(entries...)
			before := time.Now()
			worker := w.run()
			w.drained(30 * time.Second)
			worker.terminate()
			w.addsUp(entries)

			letters := map[string]*message.Message{}
			for _, letter := range w.letters() {
				letters[letter.Metadata.Get("dlq_position")] = letter
			}
			require.Len(t, w.letters(), len(all), "one letter each")
			for n, b := range all {
				t.Run(b.name, func(t *testing.T) {
					id := entries[2*n+1].id
					requireLetter(t, b, id, letters[id], before)
				})
			}
		})
	}
}

func requireLetter(t *testing.T, b bad, id string, letter *message.Message, before time.Time) {
	require.NotNil(t, letter)
	meta := letter.Metadata
	millis, _, _ := strings.Cut(id, "-")
	for key, want := range map[string]string{
		"dlq_kind": "invalid", "dlq_code": b.code, "dlq_handler": "activity", "dlq_topic": topic, "dlq_group": group, "dlq_consumer": "worker",
		"dlq_source": topic, "dlq_position": id, "dlq_deliveries": "1", "dlq_attempts": "1", "dlq_stack": "",
		"leat_source": topic, "leat_position": id, "leat_deliveries": "1", "leat_published_at": millis, "leat_group": group, "leat_consumer": "worker",
	} {
		require.Equal(t, want, meta.Get(key), key)
	}
	require.Contains(t, meta.Get("dlq_error"), b.says)
	require.NotEmpty(t, meta.Get("dlq_stage"))
	for _, key := range []string{"dlq_first_failure", "dlq_last_failure"} {
		when, err := time.Parse(time.RFC3339Nano, meta.Get(key))
		require.NoError(t, err, key)
		require.WithinRange(t, when, before.Add(-time.Second), time.Now().Add(time.Second), key)
	}
	switch {
	case b.code == "malformed":
		require.NotEmpty(t, meta.Get("leat_malformed"))
		require.JSONEq(t, b.payload, string(letter.Payload))
	case b.payload == "":
		require.JSONEq(t, object(b.fields), string(letter.Payload))
	default:
		require.Equal(t, b.payload, string(letter.Payload))
	}
}

// A dead letter keeps the UUID and the metadata that its message came with; a payload over dlq.max_payload is cut, and
// its size and hash are told.
func TestDeadLetterKeepsWhatItCarried(t *testing.T) {
	w := newWorld(t, openSQLite(t))
	payload := `{"title":"` + strings.Repeat("x", 2<<20) + `"}`
	w.publish(&entry{fields: envelope(t, "7f1c7bbb-0000-4000-8000-0000000000ff", payload, message.Metadata{"trace": "abc", "dlq_error": "an older one"})})
	worker := w.run()
	w.drained(30 * time.Second)
	worker.terminate()
	letters := w.letters()
	require.Len(t, letters, 1)
	meta := letters[0].Metadata
	require.Equal(t, "7f1c7bbb-0000-4000-8000-0000000000ff", letters[0].UUID)
	require.Equal(t, "abc", meta.Get("trace"))
	require.Equal(t, payload[:1<<20], string(letters[0].Payload))
	require.Equal(t, strconv.Itoa(len(payload)), meta.Get("dlq_payload_bytes"))
	sum := sha256.Sum256([]byte(payload))
	require.Equal(t, hex.EncodeToString(sum[:]), meta.Get("dlq_payload_sha256"))
	require.Contains(t, meta.Get("dlq_error"), "bytes")
}

// An identity belongs to what it was first recorded with.
func TestIdentityConflict(t *testing.T) {
	onEach(t, func(t *testing.T, db store) {
		w := newWorld(t, db)
		worker := w.run()
		const id = "66f0000000000000000000c1"
		first := &entry{fields: spring("first", "pomodoroUsageLogId", id), event: new(said("first", nil))}
		w.publish(first)
		w.drained(30 * time.Second)
		entries := []*entry{first}
		for what, changes := range map[string][]string{
			"user":      spring("second", "pomodoroUsageLogId", id),
			"duration":  spring("first", "pomodoroUsageLogId", id, "duration", "13"),
			"timestamp": spring("first", "pomodoroUsageLogId", id, "timestamp", "1.7604126335E9"),
			"content":   spring("first", "pomodoroUsageLogId", id, "title", "another"),
		} {
			e := &entry{fields: changes}
			entries = append(entries, e)
			w.publish(e)
			w.drained(30 * time.Second)
			letters := w.letters()
			meta := letters[len(letters)-1].Metadata
			require.Equal(t, "identity_conflict", meta.Get("dlq_code"), what)
			require.Contains(t, meta.Get("dlq_error"), "another "+what)
		}
		worker.terminate()
		w.addsUp(entries)
	})
}

// A board that is no sorted set is a fault of its own kind: what counts on it ends in the DLQ as internal after some
// attempts, recorded and not counted, and every other event of the batch is counted.
func TestBoardOfAnotherType(t *testing.T) {
	w := newWorld(t, openSQLite(t))
	const spoilt = "leaderboard:Music:2025-10-14"
	require.NoError(t, w.redis.Set(t.Context(), spoilt, "x", 0).Err())
	var entries []*entry
	truth, spoiltIDs := boards{}, 0
	for n := range 60 {
		user := fmt.Sprint("u", n)
		v := said(user, nil)
		e := &entry{fields: spring(user), event: &v}
		if n%20 == 7 {
			e = &entry{fields: spring(user, "app", "Spotify", "url", "", "title", "")}
			spoiltIDs++
		} else {
			truth.count(v.user, v.category, v.at, v.millis)
		}
		entries = append(entries, e)
	}
	w.publish(entries...)
	worker := w.run("LEAT_PIPELINES_ACTIVITY_RETRY_INITIAL=10ms")
	w.drained(30 * time.Second)
	worker.terminate()
	letters := w.letters()
	require.Len(t, letters, spoiltIDs)
	for _, letter := range letters {
		for key, want := range map[string]string{
			"dlq_kind": "internal", "dlq_code": "wrong_type", "dlq_stage": "aggregate", "dlq_attempts": "4", "dlq_note_applied": "false",
		} {
			require.Equal(t, want, letter.Metadata.Get(key), key)
		}
	}
	require.NoError(t, w.redis.Del(t.Context(), spoilt).Err())
	requireBoards(t, truth, w.boards())
	require.Len(t, w.db.records(t), len(entries))
}
