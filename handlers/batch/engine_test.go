package batch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"leat/handlers/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a stage made of a function.
type stage struct {
	name string
	run  func(ctx context.Context, items []*Item[string]) error
}

func (s stage) Name() string { return s.name }

func (s stage) Run(ctx context.Context, items []*Item[string]) error { return s.run(ctx, items) }

func decodeText(msg *message.Message) (string, error) { return string(msg.Payload), nil }

func values(items []*Item[string]) []string {
	list := make([]string, len(items))
	for n, item := range items {
		list[n] = item.Value
	}
	return list
}

// journal notes the batches that it sees. It is a stage that succeeds.
type journal struct {
	mu      sync.Mutex
	batches [][]string
}

func (j *journal) Name() string { return "journal" }

func (j *journal) Run(_ context.Context, items []*Item[string]) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.batches = append(j.batches, values(items))
	return nil
}

func (j *journal) seen() [][]string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.batches)
}

// gate is a stage that waits until it is opened, or until its context ends.
type gate chan struct{}

func (gate) Name() string { return "gate" }

func (g gate) Run(ctx context.Context, _ []*Item[string]) error {
	select {
	case <-g:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start starts an engine that the test closes at its end.
func start(t *testing.T, policy Policy[string], stages ...Stage[string]) *Engine[string] {
	t.Helper()
	if policy.Workers == 0 {
		policy.Workers = 1
	}
	if policy.Size == 0 {
		policy.Size = 500
	}
	engine := New(policy, decodeText, stages...)
	engine.Start()
	t.Cleanup(func() { require.NoError(t, engine.Close(context.Background())) })
	return engine
}

// outcomes are those of messages that were submitted together.
type outcomes struct {
	mu   sync.Mutex
	wait sync.WaitGroup
	errs map[string]error
}

// submit hands each message to the engine in a goroutine of its own, in order, as the router does.
func submit(engine *Engine[string], payloads ...string) *outcomes {
	o := &outcomes{errs: map[string]error{}}
	for _, payload := range payloads {
		o.wait.Go(func() { o.add(payload, handle(engine, payload)) })
		synctest.Wait()
	}
	return o
}

func handle(engine *Engine[string], payload string) error {
	return engine.Handle(message.NewMessage("", []byte(payload)))
}

func (o *outcomes) add(payload string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errs[payload] = err
}

func (o *outcomes) all() map[string]error {
	o.wait.Wait()
	return o.errs
}

// failures returns the messages that failed.
func (o *outcomes) failures() map[string]error {
	failures := o.all()
	for payload, err := range failures {
		if err == nil {
			delete(failures, payload)
		}
	}
	return failures
}

// A worker takes everything that has accumulated while it was busy, up to the size of a batch, and no timer is involved.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal, gate := &journal{}, make(gate)
		engine := start(t, Policy[string]{Config: Config{Size: 3}}, journal, gate)
		began := time.Now()
		done := submit(engine, "a", "b", "c", "d", "e")
		require.Equal(t, [][]string{{"a"}}, journal.seen(), "a first message does not wait for others")
		close(gate)
		require.Empty(t, done.failures())
		require.Equal(t, [][]string{{"a"}, {"b", "c", "d"}, {"e"}}, journal.seen())
		require.Zero(t, time.Since(began))
	})
}

// With a linger, a batch that is not full waits for more, and only one gathers at a time.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal := &journal{}
		engine := start(t, Policy[string]{Config: Config{Size: 3, Workers: 4, Linger: time.Second}}, journal)
		began := time.Now()

		full := submit(engine, "a", "b", "c")
		require.Empty(t, full.failures())
		require.Zero(t, time.Since(began), "a full batch does not wait")

		early := submit(engine, "d")
		time.Sleep(600 * time.Millisecond)
		late := submit(engine, "e")
		require.Empty(t, early.failures())
		require.Empty(t, late.failures())
		require.Equal(t, time.Second, time.Since(began), "counted from the first message of the batch")
		require.Equal(t, [][]string{{"a", "b", "c"}, {"d", "e"}}, journal.seen())
	})
}

// A batch that lingers when the engine closes does not wait for its timer.
func TestLingerEndsAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := New(Policy[string]{Config: Config{Size: 3, Workers: 2, Linger: time.Hour}}, decodeText)
		engine.Start()
		began := time.Now()
		done := submit(engine, "a", "b")
		require.NoError(t, engine.Close(t.Context()))
		require.Empty(t, done.failures())
		require.Zero(t, time.Since(began))
	})
}

// Several workers run batches side by side.
func TestWorkersRunSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal, gate := &journal{}, make(gate)
		engine := start(t, Policy[string]{Config: Config{Workers: 3}}, journal, gate)
		done := submit(engine, "a", "b", "c", "d")
		require.Equal(t, [][]string{{"a"}, {"b"}, {"c"}}, journal.seen())
		close(gate)
		require.Empty(t, done.failures())
	})
}

// The window of messages in flight is the only buffer: what neither runs nor fits into the queue waits in Handle.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(gate)
		engine := start(t, Policy[string]{Config: Config{Size: 2, Workers: 2}}, gate)
		done := submit(engine, "a", "b", "c", "d", "e", "f", "g", "h")
		require.Len(t, engine.queue, 4, "2 run, 4 are queued, 2 wait")

		ctx, cancel := context.WithCancel(t.Context())
		msg := message.NewMessage("", []byte("i"))
		msg.SetContext(ctx)
		result := make(chan error, 1)
		go func() { result <- engine.Handle(msg) }()
		synctest.Wait()
		cancel()
		require.Equal(t, fault.Canceled, fault.KindOf(<-result), "one that waits gives up with its context")

		close(gate)
		require.Empty(t, done.failures())
	})
}

// Handle returns when the context of the message ends, even if the chain is not done with it.
func TestHandleReturnsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(gate)
		engine := start(t, Policy[string]{}, gate)
		ctx, cancel := context.WithCancelCause(t.Context())
		msg := message.NewMessage("", []byte("a"))
		msg.SetContext(ctx)
		result := make(chan error, 1)
		go func() { result <- engine.Handle(msg) }()
		synctest.Wait()
		cause := errors.New("the subscriber closed")
		cancel(cause)
		err := <-result
		require.ErrorIs(t, err, cause)
		require.Equal(t, fault.Canceled, fault.KindOf(err))
		close(gate)
	})
}

func TestCloseFinishesWhatWasSubmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal, gate := &journal{}, make(gate)
		engine := New(Policy[string]{Config: Config{Size: 2, Workers: 1}}, decodeText, gate, journal)
		engine.Start()
		done := submit(engine, "a", "b", "c")
		closed := make(chan error, 1)
		go func() { closed <- engine.Close(t.Context()) }()
		synctest.Wait()
		close(gate)
		require.NoError(t, <-closed)
		require.Empty(t, done.failures())
		require.Equal(t, [][]string{{"a"}, {"b", "c"}}, journal.seen())

		err := engine.Handle(message.NewMessage("", nil))
		require.Equal(t, fault.Canceled, fault.KindOf(err), "what comes later stays in the broker")
	})
}

// When Close runs out of time, the stages are canceled, and every message has an outcome nevertheless.
func TestCloseDeadlineCancelsStages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := New(Policy[string]{Config: Config{Size: 2, Workers: 1}}, decodeText, make(gate))
		engine.Start()
		done := submit(engine, "a", "b", "c")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, engine.Close(ctx), context.DeadlineExceeded)
		require.Equal(t, 5*time.Second, time.Since(began))
		for payload, err := range done.all() {
			require.Equal(t, fault.Canceled, fault.KindOf(err), payload)
		}
	})
}

// A message that is submitted in the very moment of Close never hangs: it is handled, or handed back.
func TestHandleDuringClose(t *testing.T) {
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			engine := New(Policy[string]{Config: Config{Size: 1, Workers: 1}}, decodeText)
			engine.Start()
			var handlers sync.WaitGroup
			for range 4 {
				handlers.Go(func() {
					if err := engine.Handle(message.NewMessage("", nil)); err != nil {
						require.Equal(t, fault.Canceled, fault.KindOf(err))
					}
				})
			}
			require.NoError(t, engine.Close(t.Context()))
			handlers.Wait()
		})
	}
}

func TestDecode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal := &journal{}
		decode := func(msg *message.Message) (string, error) {
			switch text := string(msg.Payload); {
			case strings.HasPrefix(text, "bad"):
				return "", fault.Invalidf("bad_text", "%s is no good", text)
			case strings.HasPrefix(text, "panic"):
				panic(text)
			default:
				return text, nil
			}
		}
		engine := New(Policy[string]{Config: Config{Size: 9, Workers: 1, Linger: time.Second}}, decode, journal)
		engine.Start()
		done := submit(engine, "a", "bad 1", "b", "panic 1", "c")
		failures := done.failures()
		require.NoError(t, engine.Close(t.Context()))
		require.Equal(t, [][]string{{"a", "b", "c"}}, journal.seen(), "the neighbours go on together")
		require.Len(t, failures, 2)

		bad := fault.Of(failures["bad 1"])
		require.Equal(t, fault.Invalid, bad.Kind)
		require.Equal(t, "bad_text", bad.Code)
		require.Equal(t, DecodeStage, bad.Stage)
		require.EqualError(t, failures["bad 1"], "bad 1 is no good")

		panicked := fault.Of(failures["panic 1"])
		require.Equal(t, fault.Internal, panicked.Kind)
		require.Equal(t, DecodeStage, panicked.Stage)
		require.NotEmpty(t, panicked.Stack)
	})
}
