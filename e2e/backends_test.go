package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/require"
)

// backend is a broker beside leat, with a topic of the test's own.
type backend struct {
	example string   // below examples/: what a user copies
	env     []string // what differs on this machine
	db      store    // if the broker lives in it; otherwise SQLite
	alone   bool     // one process only, reached over HTTP
	// letters returns the payloads of a topic, read without leat's code. Nil: nobody else can read them.
	letters func(w *world, topic string) [][]byte
}

// backends makes what each broker needs. The topic is new to it.
var backends = []struct {
	name string
	open func(t testing.TB, topic string) backend
}{
	{"redisstream", openRedisStream},
	{"gochannel", openGoChannel},
	{"nats", openNATS},
	{"kafka", openKafka},
	{"amqp", openAMQP},
	{"sql", openSQLBroker},
}

// The same events over every broker: 5,000 lines with repeats and poison among them, two workers of which one is killed, and
// records, boards and dead letters are what the lines say.
func TestBackends(t *testing.T) {
	for _, kind := range backends {
		t.Run(kind.name, func(t *testing.T) {
			topic := "leat_e2e_" + strings.ReplaceAll(watermill.NewShortUUID(), "-", "_")
			b := kind.open(t, topic)
			if b.db == nil {
				b.db = openSQLite(t)
			}
			w := newWorld(t, b.db)
			env := w.env(append(b.env, "LEAT_PIPELINES_ACTIVITY_TOPIC="+topic, "LEAT_PIPELINES_ACTIVITY_SCORES_TOPIC="+topic+"_scores")...)
			lines := newLoad(random(t)).lines(5000)
			if b.alone {
				w.passesAlone(b, env, lines)
			} else {
				w.passesShared(b, env, lines, func() [][]byte { return b.letters(w, topic+".dlq") })
			}
		})
	}
}

// line is a line of JSON as leat publish takes it.
type line struct {
	text   string
	event  *event // nil if it must end in the DLQ
	repeat bool
}

// lines makes n lines: about 5 % repeat one of before, about 1 % are poison.
func (l *load) lines(n int) []line {
	lines := make([]line, 0, n)
	for range n {
		switch x := l.Float64(); {
		case x < 0.01:
			l.made++
			lines = append(lines, line{text: poisonLines(l.made)[l.IntN(4)]})
		case x < 0.06 && len(lines) > 0:
			again := lines[l.IntN(len(lines))]
			again.repeat = true
			if again.event != nil {
				lines = append(lines, again)
			}
		default:
			v := l.event()
			id := ""
			if l.IntN(3) == 0 {
				id = fmt.Sprintf("%08x%016x", 0x66000000+l.made, l.Uint64())
			}
			lines = append(lines, line{text: object(v.pairs(id)), event: v})
		}
	}
	return lines
}

// poisonLines are lines that cannot be handled, each with a number that tells it from others.
func poisonLines(n int) []string {
	return []string{
		fmt.Sprintf(`{"app":"Code","title":"%d","duration":1}`, n),
		fmt.Sprintf(`{"userId":"u","app":"Code","title":"%d","duration":-1}`, n),
		fmt.Sprintf(`{"userId":%d`, n),
		fmt.Sprintf("\xff not JSON, not text: %d", n),
	}
}

// publishLines runs leat publish on all lines.
func publishLines(t testing.TB, env []string, lines []line, args ...string) {
	t.Helper()
	var input bytes.Buffer
	for _, l := range lines {
		input.WriteString(l.text + "\n")
	}
	r := leat(t, env, input.String(), append([]string{"publish", "activity", "--unchecked"}, args...)...)
	require.Equal(t, 0, r.code, "%s%s", r.out, r.err)
	require.Contains(t, r.out, fmt.Sprintf("published %d", len(lines)))
}

// passesShared has two workers, and kills one while both work.
func (w *world) passesShared(b backend, env []string, lines []line, letters func() [][]byte) {
	config := absolute(w.t, filepath.Join("..", "examples", b.example))
	run := func(name string) *process {
		return launch(w.t, append(slices.Clone(env), "LEAT_BROKER_REDISSTREAM_CONSUMER="+name, atRate(2000)), "run", "--config", config).running()
	}
	survivor, victim := run("survivor"), run("victim")
	publishLines(w.t, env, lines, "--config", config)
	until(w.t, 60*time.Second, func() bool { return len(b.db.records(w.t)) > len(lines)/5 }, func() string { return "some lines are recorded" })
	victim.kill()
	again := run("victim")
	w.amountsTo(b, lines, letters)
	survivor.terminate()
	again.terminate()
	w.amountsTo(b, lines, letters)
}

// passesAlone has one worker, which is stopped in the ordinary way: what it has in memory would go with it.
func (w *world) passesAlone(b backend, env []string, lines []line) {
	config := absolute(w.t, filepath.Join("..", "examples", b.example))
	addr := freeAddr(w.t)
	env = append(slices.Clone(env), "LEAT_HTTP_ADDR="+addr, "LEAT_HTTP_TOKEN=a-token-of-the-tests")
	worker := launch(w.t, env, "run", "--config", config).running()
	publishLines(w.t, env, lines, "--config", config)
	poison := 0
	for _, l := range lines {
		if l.event == nil {
			poison++
		}
	}
	until(w.t, 60*time.Second, func() bool {
		return worker.metric(`leat_dead_letters_total{kind="invalid",pipeline="activity",stage="decode"}`) >= float64(poison)
	}, func() string { return "all poison is dead-lettered" })
	w.amountsTo(b, lines, nil)
	require.Equal(w.t, float64(poison), worker.metric(`leat_dead_letters_total{kind="invalid",pipeline="activity",stage="decode"}`))
	worker.terminate()
	w.amountsTo(b, lines, nil)
}

func absolute(t testing.TB, file string) string {
	t.Helper()
	file, err := filepath.Abs(file)
	require.NoError(t, err)
	_, err = os.Stat(file)
	require.NoError(t, err)
	return file
}

// amountsTo waits until records, boards and dead letters are what the lines say, and nothing else.
func (w *world) amountsTo(b backend, lines []line, letters func() [][]byte) {
	w.t.Helper()
	truth, events, poison := boards{}, map[string]int{}, map[string]bool{}
	for _, l := range lines {
		switch {
		case l.event == nil:
			poison[l.text] = true
		case !l.repeat:
			truth.count(l.event.user, l.event.category, l.event.at, l.event.millis)
			events[l.event.fingerprint()]++
		}
	}
	recorded := func() map[string]int {
		have := map[string]int{}
		for _, r := range b.db.records(w.t) {
			e := event{user: r.user, app: r.app, title: r.title, url: r.url, category: r.category, at: time.UnixMilli(r.millis), millis: r.duration}
			have[e.fingerprint()]++
		}
		return have
	}
	until(w.t, 90*time.Second, func() bool { return len(recorded()) >= len(events) && len(w.boards()) >= len(truth) }, func() string {
		return fmt.Sprintf("all lines are recorded: %d of %d", len(recorded()), len(events))
	})
	require.Equal(w.t, events, recorded(), "records")
	if letters != nil {
		dead := func() map[string]bool {
			have := map[string]bool{}
			for _, payload := range letters() {
				have[string(payload)] = true
			}
			return have
		}
		until(w.t, 30*time.Second, func() bool { return len(dead()) >= len(poison) }, func() string {
			return fmt.Sprintf("all poison is dead-lettered: %d of %d", len(dead()), len(poison))
		})
		require.Equal(w.t, slices.Sorted(maps.Keys(poison)), slices.Sorted(maps.Keys(dead())), "dead letters")
	}
	var wrong string
	until(w.t, 30*time.Second, func() bool { wrong = differences(truth, w.boards()); return wrong == "" }, func() string { return "boards are true: " + wrong })
}

// fingerprint is what a line says, as text.
func (v *event) fingerprint() string {
	text, _ := json.Marshal([]any{v.user, v.app, v.title, v.url, v.category, v.at.UnixMilli(), v.millis})
	return string(text)
}
