package batch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
)

// broker and boards of a test: floors are read from the one and raised in the other.
type floors struct {
	mu      sync.Mutex
	read    map[string]delivery.Position
	readErr error
	raised  map[string]delivery.Position
	refuse  string // a source whose floor cannot be raised
}

func (f *floors) Read(context.Context) (map[string]delivery.Position, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.read), f.readErr
}

func (f *floors) Raise(_ context.Context, source string, floor delivery.Position) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if source == f.refuse {
		return errors.New("the boards are away")
	}
	f.raised[source] = floor
	return nil
}

// runFloors runs the test beside floors that move every second, and returns the log.
func runFloors(t *testing.T, test func(f *floors)) string {
	t.Helper()
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		f := &floors{read: map[string]delivery.Position{}, raised: map[string]delivery.Position{}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			Floors{
				Every: time.Second, Read: f.Read, Raise: f.Raise,
				Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			}.Run(ctx)
		}()
		synctest.Wait()
		f.mu.Lock()
		test(f)
		f.mu.Unlock()
		cancel()
		<-ended
	})
	return log.String()
}

// tick lets one round pass.
func (f *floors) tick() {
	f.mu.Unlock()
	time.Sleep(time.Second)
	synctest.Wait()
	f.mu.Lock()
}

func TestFloorsMove(t *testing.T) {
	log := runFloors(t, func(f *floors) {
		f.read["a"], f.read["b"] = delivery.Position{Major: 5}, delivery.Position{Major: 7, Minor: 1}
		require.Empty(t, f.raised)
		f.tick()
		require.Equal(t, f.read, f.raised)
		f.read["a"] = delivery.Position{Major: 6}
		f.tick()
		require.Equal(t, f.read, f.raised)
	})
	require.Empty(t, log)
}

// A broker that does not answer is asked again at the next tick.
func TestFloorsAreReadAgain(t *testing.T) {
	log := runFloors(t, func(f *floors) {
		f.read["a"], f.readErr = delivery.Position{Major: 5}, errors.New("the broker is away")
		f.tick()
		require.Empty(t, f.raised)
		f.readErr = nil
		f.tick()
		require.Equal(t, f.read, f.raised)
	})
	require.Contains(t, log, "level=DEBUG")
	require.Contains(t, log, "the broker is away")
}

// A source whose floor cannot be raised does not hold the others back, and is tried again.
func TestFloorsOfOtherSourcesMove(t *testing.T) {
	log := runFloors(t, func(f *floors) {
		f.refuse = "b"
		f.read["a"], f.read["b"], f.read["c"] = delivery.Position{Major: 1}, delivery.Position{Major: 2}, delivery.Position{Major: 3}
		f.tick()
		require.Equal(t, map[string]delivery.Position{"a": {Major: 1}, "c": {Major: 3}}, f.raised)
		f.refuse = ""
		f.tick()
		require.Equal(t, f.read, f.raised)
	})
	require.Contains(t, log, "b: the boards are away")
}

// A process that stops takes back what it said of every source, also if it cannot for one of them.
func TestFloorsLeave(t *testing.T) {
	var log bytes.Buffer
	f := &floors{read: map[string]delivery.Position{"a": {Major: 1}, "b": {Major: 2}}}
	withdrawn := map[string]bool{}
	Floors{
		Read: f.Read,
		Withdraw: func(_ context.Context, source string) error {
			withdrawn[source] = true
			if source == "a" {
				return errors.New("the boards are away")
			}
			return nil
		},
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}.Leave(t.Context())
	require.Equal(t, map[string]bool{"a": true, "b": true}, withdrawn)
	require.Contains(t, log.String(), "the boards are away")
}
