package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fronts are what may be in front, with the category that the built-in patterns give it.
var fronts = []event{
	{app: "Google Chrome", url: "https://github.com/golang/go/pulls", category: "Development"},
	{app: "Code", category: "Development"},
	{app: "chrome.exe", url: "https://www.youtube.com/watch?v=%d", category: "Entertainment"},
	{app: "Safari", url: "https://music.youtube.com/", category: "Music"},
	{app: "Microsoft Edge", url: "https://www.figma.com/file/%d", category: "Design"},
	{app: "Microsoft Edge", url: "https://chatgpt.com/c/%d", category: "LLM"},
	{app: "Microsoft Edge", url: "https://docs.google.com/document/d/%d/edit", category: "Documentation"},
	{app: "Microsoft Edge", url: "https://analytics.google.com/analytics/web/", category: "Marketing"},
	{app: "Microsoft Edge", url: "https://www.coupang.com/vp/products/%d", category: "E-commerce & Shopping"},
	{app: "KakaoTalk.exe", category: "Communication"},
	{app: "us.zoom.xos", category: "Meetings"},
	{app: "Instagram", category: "SNS"},
	{app: "explorer.exe", category: "File Management"},
	{app: "System Settings", category: "System & Utilities"},
	{app: "League of Legends (TM) Client", category: "Game"},
	{app: "obs64.exe", category: "Video Editing"},
	{app: "Anki", category: "Education"},
	{app: "영웅문4", category: "Finance"},
	{app: "Todoist", category: "Productivity"},
	{app: "firefox", category: "Browsing"},
	{app: "loginwindow", category: "AFK"},
	{app: "Frobnicator %d", url: "https://frobnicator.example/%d", category: "Uncategorized"},
}

// load makes up entries as producers write them.
type load struct {
	*rand.Rand
	users []string
	made  int
}

func newLoad(random *rand.Rand) *load {
	users := []string{"u:1", "u 2", "김하늘", "🙂", `quote"d`, "0", "null"}
	for n := len(users); n < 40; n++ {
		users = append(users, "user-"+strconv.Itoa(n))
	}
	return &load{Rand: random, users: users}
}

// entries makes n entries: about 5 % repeat an event of before, about 1 % are poison.
func (l *load) entries(n int) []*entry {
	entries := make([]*entry, 0, n)
	var named []*entry
	for range n {
		e := &entry{}
		switch x := l.Float64(); {
		case x < 0.01:
			e = l.poison()
		case x < 0.06 && len(named) > 0: // a near one half of the time: in the same batch, perhaps
			from := 0
			if l.IntN(2) == 0 {
				from = max(0, len(named)-100)
			}
			*e = *named[from+l.IntN(len(named)-from)]
		default:
			e = l.entry()
			if e.identity != "" {
				named = append(named, e)
			}
		}
		entries = append(entries, e)
	}
	return entries
}

func (l *load) event() *event {
	l.made++
	v := fronts[l.IntN(len(fronts))]
	thing := l.IntN(30)
	v.app, v.url = strings.ReplaceAll(v.app, "%d", strconv.Itoa(thing)), strings.ReplaceAll(v.url, "%d", strconv.Itoa(thing))
	v.title = fmt.Sprintf("thing %d – “제목” \\ %s", thing, v.app)
	v.user = l.users[l.IntN(len(l.users))]
	v.at = time.Now().Add(-time.Duration(l.Int64N(int64(45 * 24 * time.Hour)))).Truncate(time.Millisecond)
	v.millis = 1 + l.Int64N(60_000)
	v.session, v.minutes = 1+l.IntN(12), 25
	v.date = v.at.In(seoul).Format(time.DateOnly)
	v.end = l.IntN(50) == 0
	return &v
}

// entry makes an entry of an event, in one of the forms.
func (l *load) entry() *entry {
	e := &entry{event: l.event()}
	explicit := ""
	if l.IntN(3) == 0 {
		explicit = fmt.Sprintf("%08x%016x", 0x66000000+l.made, l.Uint64())
		e.identity = explicit
	} else if l.IntN(10) == 0 {
		e.event.at = time.Time{}
	}
	pairs := e.event.pairs(explicit)
	switch l.IntN(4) {
	case 0:
		uuid := fmt.Sprintf("%08x-0000-4000-8000-%012x", l.Uint32(), l.made)
		e.fields = []string{"_watermill_message_uuid", uuid, "metadata", "", "payload", object(pairs)}
		if explicit == "" && !e.event.at.IsZero() {
			e.identity = uuid
		}
	case 1:
		e.fields = []string{"payload", object(pairs)}
	default:
		e.fields = pairs
	}
	return e
}

// pairs are the event's flat fields as the Spring server writes them.
func (v *event) pairs(id string) []string {
	pairs := []string{
		"userId", v.user, "app", v.app, "title", v.title, "url", v.url,
		"duration", strconv.FormatFloat(float64(v.millis)/1000, 'f', -1, 64),
		"session", strconv.Itoa(v.session), "sessionDate", v.date, "sessionMinutes", strconv.Itoa(v.minutes),
		"isEnd", strconv.FormatBool(v.end),
	}
	if !v.at.IsZero() {
		pairs = append(pairs, "timestamp", springTime(v.at))
	}
	if id != "" {
		pairs = append(pairs, "pomodoroUsageLogId", id)
	}
	return pairs
}

// springTime is how Java writes the seconds: 1.7604210325E9.
func springTime(at time.Time) string {
	return strings.Replace(strconv.FormatFloat(float64(at.UnixMilli())/1000, 'E', -1, 64), "E+0", "E", 1)
}

// object makes a JSON object of strings.
func object(pairs []string) string {
	fields := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		fields[pair[0]] = pair[1]
	}
	text, _ := json.Marshal(fields)
	return string(text)
}

// poison makes an entry that cannot be handled.
func (l *load) poison() *entry {
	l.made++
	n := strconv.Itoa(l.made)
	forms := [][]string{
		{"app", "Code", "title", n, "duration", "1"},
		{"userId", "u", "title", "", "duration", "1", "session", n},
		{"userId", "u", "app", "Code", "title", n, "duration", "NaN"},
		{"userId", "u", "app", "Code", "title", n, "duration", "-1"},
		{"userId", "u", "app", "Code", "title", "\xff" + n, "duration", "1"},
		{"payload", `{"userId":` + n},
		{"_watermill_message_uuid", "bad-" + n, "metadata", "\xc1", "payload", "{}"},
	}
	return &entry{fields: forms[l.IntN(len(forms))]}
}
