package activity_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

// The record, not a second classification, says what an event counts for.
func TestClassifiedDifferentlyTheSecondTime(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		msg := event(1, `"userId":"u1","app":"Code","duration":60`)
		r.failOnce("Apply/before", fault.Unavailablef("down"))
		require.Error(t, r.deliver(msg)[0])

		r.patterns = []activity.CategoryPatterns{{ID: entertainment, Category: "Entertainment", Apps: []string{"code"}}, {ID: development, Category: "Development"}}
		require.NoError(t, r.LoadPatterns(t.Context()))
		r.succeed(msg) // as a broker would that does not count deliveries
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Development"))
		require.Empty(t, r.board("Entertainment"))
		for _, log := range r.logs {
			require.Equal(t, development, log.CategoryID)
		}
	})
}

// Patterns that change are in force for what comes, and change nothing of what was.
func TestPatternsChange(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		r.succeed(event(1, `"userId":"u1","app":"Code","duration":60`), event(2, `"userId":"u1","app":"Paint","duration":1`))
		reload, ctx := make(chan struct{}), t.Context()
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { r.WatchPatterns(ctx, reload); close(done) }()

		r.mu.Lock()
		r.patterns = []activity.CategoryPatterns{{ID: entertainment, Category: "Entertainment", Apps: []string{"code", "paint"}}, {ID: development, Category: "Development"}}
		r.mu.Unlock()
		reload <- struct{}{}
		synctest.Wait()
		r.succeed(event(3, `"userId":"u1","app":"Code","duration":7`), event(4, `"userId":"u1","app":"Paint","duration":2`))
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Development"))
		require.Equal(t, map[string]float64{"u1": 9}, r.board("Entertainment"))
		require.Equal(t, map[string]float64{"u1": 1}, r.board("Uncategorized"))

		r.failOnce("Patterns/before", fault.Unavailablef("down"))
		reload <- struct{}{}
		synctest.Wait()
		r.succeed(event(5, `"userId":"u1","app":"Code","duration":1`))
		require.Equal(t, map[string]float64{"u1": 10}, r.board("Entertainment"), "those before stay in force")

		r.mu.Lock()
		r.patterns[0].Apps = nil
		r.mu.Unlock()
		time.Sleep(time.Minute) // the interval
		synctest.Wait()
		r.succeed(event(6, `"userId":"u2","app":"vim","duration":1`))
		require.Equal(t, map[string]float64{"u1": 1, "u2": 1}, r.board("Uncategorized"))
		cancel()
		<-done
	})
}

// An empty store is filled with the built-in patterns.
func TestBuiltinPatterns(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		r.patterns = nil
		require.NoError(t, r.LoadPatterns(t.Context()))
		require.Contains(t, r.calls, "SeedPatterns")
		r.succeed(event(1, `"userId":"u1","url":"https://github.com/golang/go","duration":60`))
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Development"))
	})
}

// What no pattern matches is what categorized_data says it is.
func TestKnownContent(t *testing.T) {
	withPipeline(t, func(t *testing.T, r *rig) {
		paint, code := activity.Content{App: "Paint"}, activity.Content{App: "Code"}
		own := activity.ID{1, 2, 3}
		r.contents[paint] = activity.CategorizedData{ID: own, Content: paint, CategoryID: entertainment, LLM: true}
		r.contents[code] = activity.CategorizedData{ID: code.ID(), Content: code, CategoryID: entertainment}
		r.succeed(event(1, `"userId":"u1","app":"Paint","duration":60`), event(2, `"userId":"u2","app":"Code","duration":5`))
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Entertainment"))
		require.Equal(t, map[string]float64{"u2": 5}, r.board("Development"), "patterns decide first")
		for _, log := range r.logs {
			if log.User == "u1" {
				require.Equal(t, own, log.CategorizedDataID, "the document that the producer created")
			}
		}
		r.succeed(again(event(1, `"userId":"u1","app":"Paint","duration":60`)))
		require.Equal(t, map[string]float64{"u1": 60}, r.board("Entertainment"))
	})
}
