package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/require"
)

// storm is how much goes wrong, and for how long.
type storm struct {
	lines   int
	span    time.Duration
	kills   int // kill -9
	stops   int // SIGTERM
	stands  int // SIGSTOP, for longer than the broker waits
	cuts    int // of all connections to the broker
	outages int // of the Redis of the boards
}

// outageTime is how long a cut or an outage lasts.
const outageTime = 2 * time.Second

// forecast returns a short storm, or with LEAT_TEST_CHAOS=long a long one.
func forecast(t testing.TB) storm {
	switch length := os.Getenv("LEAT_TEST_CHAOS"); length {
	case "":
		return storm{lines: 2_500, span: 8 * time.Second, kills: 5, stops: 2, stands: 2, cuts: 1, outages: 1}
	case "long":
		return storm{lines: 9_000, span: 25 * time.Second, kills: 10, stops: 5, stands: 5, cuts: 3, outages: 2}
	default:
		t.Fatalf("LEAT_TEST_CHAOS is %q, and can be long", length)
		return storm{}
	}
}

// Three workers on each broker that processes share, and everything that may go wrong, in any order and at the same time,
// while files are published, some of them twice: it adds up in the end, and nothing is left in the broker.
func TestBackendsChaos(t *testing.T) {
	for _, kind := range sharedBrokers {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			storm, topic := forecast(t), newTopic()
			s := kind.open(t, topic)
			if s.db == nil {
				s.db = openPostgres(t) // a SQLite file may be locked by who stands still
			}
			w := newWorld(t, s.db)
			w.redis.restart(t, "--appendfsync", "always")
			c := newChaos(w, s, topic, random(t))
			c.hire(3)
			lines := newLoad(c.random).lines(storm.lines)
			published := c.publishInRuns(lines, storm.span)
			c.weather(storm)
			require.NoError(t, <-published)
			c.calm(lines)
		})
	}
}

func newTopic() string {
	return "leat_e2e_" + strings.ReplaceAll(watermill.NewShortUUID(), "-", "_")
}

// chaos is a world with workers that are disturbed.
type chaos struct {
	*world
	shared
	topic    string
	random   *rand.Rand
	env      []string
	worker   []string // the environment of workers, with short times
	args     []string // of leat, behind the command
	began    time.Time
	workers  []*process
	leaving  []*process // were told to stop
	troubled []*process // of those, they may end before they have finished: something was down
	down     int        // how much is down
}

func newChaos(w *world, s shared, topic string, random *rand.Rand) *chaos {
	if s.between == nil {
		s.between = startProxy(w.t, w.redis.addr)
		s = s.with("REDIS_ADDR=" + s.between.addr())
	}
	c := &chaos{world: w, shared: s, topic: topic, random: random, args: []string{"--config", absolute(w.t, filepath.Join("..", "examples", s.example))}}
	kind := strings.ToUpper(strings.TrimSuffix(s.example, ".yaml"))
	c.env = w.env(append(slices.Clone(s.env), "LEAT_PIPELINES_ACTIVITY_TOPIC="+topic, "LEAT_PIPELINES_ACTIVITY_SCORES_TOPIC="+topic+"_scores")...)
	c.worker = slices.Concat(c.env, s.hasty, quickBreaker, []string{
		"LEAT_STORE_SQL_MAX_CONNECTIONS=3", "LEAT_PIPELINES_ACTIVITY_BATCH_SIZE=40", "LEAT_PIPELINES_ACTIVITY_THROTTLE_BURST=20", atRate(300),
		"LEAT_BROKER_" + kind + "_IN_FLIGHT=400", "LEAT_BROKER_" + kind + "_NACK_DELAY=50ms", "LEAT_BROKER_" + kind + "_NACK_MAX_DELAY=300ms",
	})
	if kind != "KAFKA" { // which does not count deliveries
		c.worker = append(c.worker, "LEAT_BROKER_"+kind+"_MAX_DELIVERIES=10000")
	}
	return c
}

// hire starts so many workers and waits until they run.
func (c *chaos) hire(n int) {
	for range n {
		c.workers = append(c.workers, c.start())
	}
	for _, worker := range c.workers {
		worker.running()
	}
}

// start starts a worker. LEAT_TEST_LOGS names a folder that gets its whole log if the test fails.
func (c *chaos) start() *process {
	p := launch(c.t, c.worker, append([]string{"run"}, c.args...)...)
	c.t.Cleanup(func() {
		if folder := os.Getenv("LEAT_TEST_LOGS"); folder != "" && c.t.Failed() {
			_ = os.WriteFile(filepath.Join(folder, fmt.Sprintf("%s-%d.log", c.topic, p.cmd.Process.Pid)), []byte(p.log.String()), 0o600)
		}
	})
	return p
}

// publishInRuns publishes the lines by several runs of leat publish: the first half, that again, and then what is left with part of
// the first half. It returns a channel with the first error, nil once all is published.
func (c *chaos) publishInRuns(lines []line, span time.Duration) <-chan error {
	half := len(lines) / 2
	runs := [][]line{lines[:half], lines[:half], lines[half/2 : half+half/2], lines[half:]}
	pauses := make([]time.Duration, len(runs))
	for n := range pauses[1:] {
		pauses[n+1] = time.Duration(c.random.Int64N(int64(span) / int64(len(runs))))
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*time.Minute)
	go func() {
		defer cancel()
		for n, run := range runs {
			<-time.After(pauses[n])
			if err := c.publishRun(ctx, run); err != nil {
				done <- fmt.Errorf("run %d of leat publish: %w", n+1, err)
				return
			}
		}
		done <- nil
	}()
	return done
}

// publishRun publishes the lines, and all of them again until leat says that all have arrived.
func (c *chaos) publishRun(ctx context.Context, lines []line) error {
	var input bytes.Buffer
	for _, l := range lines {
		input.WriteString(l.text + "\n")
	}
	for {
		var out output
		cmd := exec.CommandContext(ctx, program, append([]string{"publish", "activity", "--unchecked"}, c.args...)...)
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.env, bytes.NewReader(input.Bytes()), &out, &out
		err := cmd.Run()
		switch code := cmd.ProcessState.ExitCode(); {
		case ctx.Err() != nil:
			return fmt.Errorf("%w; it said:\n%s", ctx.Err(), out.tail(20))
		case code == 0 && strings.Contains(out.String(), fmt.Sprintf("published %d,", len(lines))):
			return nil
		case code != 1:
			return fmt.Errorf("%w; it said:\n%s", err, out.tail(20))
		}
		c.t.Logf("leat publish gave up, and is repeated: %s", out.tail(1))
		<-time.After(200 * time.Millisecond)
	}
}
