package batch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// keyOf is what stands before the colon.
func keyOf(value string) string {
	key, _, _ := strings.Cut(value, ":")
	return key
}

// Messages of one key never run in two batches at a time, and run in the order in which they were submitted; other
// keys do not wait for them.
func TestKeyedItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal, gate := &journal{}, make(gate)
		engine := start(t, Policy[string]{Config: Config{Workers: 3}, Key: keyOf}, journal, stage{"slow a", func(ctx context.Context, items []*Item[string]) error {
			if keyOf(items[0].Value) == "a" {
				return gate.Run(ctx, items)
			}
			return nil
		}})
		done := submit(engine, "a:1", "a:2", "b:1", "a:3", "c:1")
		require.Equal(t, [][]string{{"a:1"}, {"b:1"}, {"c:1"}}, journal.seen())
		close(gate)
		require.Empty(t, done.failures())
		require.Equal(t, [][]string{{"a:1"}, {"b:1"}, {"c:1"}, {"a:2", "a:3"}}, journal.seen())
	})
}

// A message that takes long to decode is not overtaken by the next one of its key.
func TestKeyedItemsAreNotOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		journal := &journal{}
		engine := New(Policy[string]{Config: Config{Size: 5, Workers: 2}, Key: keyOf}, func(msg *message.Message) (string, error) {
			if text := string(msg.Payload); text != "a:1" {
				return text, nil
			}
			time.Sleep(time.Second)
			return "a:1", nil
		}, journal)
		engine.Start()
		done := submit(engine, "a:1", "a:2")
		require.Empty(t, done.failures())
		require.NoError(t, engine.Close(t.Context()))
		require.Equal(t, [][]string{{"a:1"}, {"a:2"}}, journal.seen())
	})
}

// Messages that wait for their key when the engine closes are finished too.
func TestKeyedItemsAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(gate)
		engine := New(Policy[string]{Config: Config{Size: 5, Workers: 2}, Key: keyOf}, decodeText, gate)
		engine.Start()
		done := submit(engine, "a:1", "a:2", "a:3")
		closed := make(chan error, 1)
		go func() { closed <- engine.Close(t.Context()) }()
		synctest.Wait()
		close(gate)
		require.NoError(t, <-closed)
		require.Empty(t, done.failures())
		require.Empty(t, engine.keys.waiting, "no key is remembered that nothing runs for")
	})
}

// However many workers and keys there are, the messages of a key keep their order and are alone.
func TestKeyedItemsAtRandom(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			var mu sync.Mutex
			running, last := map[string]bool{}, map[string]int{}
			slow := stage{"slow", func(_ context.Context, items []*Item[string]) error {
				mu.Lock()
				mine := map[string]bool{}
				for _, item := range items {
					key := keyOf(item.Value)
					number, err := strconv.Atoi(item.Value[len(key)+1:])
					if err != nil || running[key] && !mine[key] || number <= last[key] {
						item.Fail(fmt.Errorf("%s runs beside its key or after %d: %w", item.Value, last[key], err))
					}
					running[key], mine[key], last[key] = true, true, number
				}
				mu.Unlock()
				time.Sleep(time.Duration(len(items)*7%20) * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				for key := range mine {
					running[key] = false
				}
				return nil
			}}
			engine := start(t, Policy[string]{Config: Config{Size: 4, Workers: 3}, Key: keyOf}, slow)
			var all []*outcomes
			for n := range 60 {
				all = append(all, submit(engine, fmt.Sprintf("k%d:%d", random.IntN(4), n+1)))
				time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond)
			}
			for _, done := range all {
				require.Empty(t, done.failures())
			}
		})
	}
}
