package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

// together runs payloads through the stages as one batch.
func together(t *testing.T, observer Observer, payloads []string, stages ...Stage[string]) (failures map[string]error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		policy := Policy[string]{Config: Config{Size: len(payloads), Linger: time.Second}, Observer: observer}
		failures = submit(start(t, policy, stages...), payloads...).failures()
	})
	return failures
}

func numbers(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = strconv.Itoa(i)
	}
	return list
}

// Each message has its own outcome, and a later stage does not see what an earlier one ended.
func TestOutcomePerItem(t *testing.T) {
	journal := &journal{}
	refused := errors.New("refused")
	failures := together(t, nil, numbers(5), stage{"choose", func(_ context.Context, items []*Item[string]) error {
		items[1].Fail(refused)
		items[3].Finish()
		return nil
	}}, journal)
	require.Equal(t, [][]string{{"0", "2", "4"}}, journal.seen())
	require.Len(t, failures, 1)
	require.ErrorIs(t, failures["1"], refused)
	require.Equal(t, "choose", fault.Of(failures["1"]).Stage)
}

// A stage that fails as a whole is bisected until the one message that is at fault is alone with it.
func TestOneBadAmongMany(t *testing.T) {
	for name, fails := range map[string]func() error{
		"internal": func() error { return errors.New("the insert failed") },
		"invalid":  func() error { return fault.Invalidf("code", "the insert failed") },
		"panic":    func() error { panic("the insert failed") },
	} {
		t.Run(name, func(t *testing.T) {
			runs, written := 0, map[string]bool{}
			failures := together(t, nil, numbers(500), stage{"insert", func(_ context.Context, items []*Item[string]) error {
				runs++
				if slices.Contains(values(items), "321") {
					return fails()
				}
				for _, value := range values(items) {
					written[value] = true
				}
				return nil
			}})
			require.Len(t, failures, 1)
			require.ErrorContains(t, failures["321"], "the insert failed")
			require.Equal(t, "insert", fault.Of(failures["321"]).Stage)
			require.Len(t, written, 499)
			require.LessOrEqual(t, runs, 19, "log2 of 500, both halves each time, and the whole")
		})
	}
}

// A dependency that is down is nobody's fault: everything fails at once, and the stage does not run again.
func TestUnavailableIsNotBisected(t *testing.T) {
	for kind, err := range map[fault.Kind]error{
		fault.Unavailable: fault.Unavailablef("the store is down"), fault.Canceled: context.Canceled,
	} {
		runs := 0
		journal := &journal{}
		failures := together(t, nil, numbers(50), stage{"insert", func(context.Context, []*Item[string]) error {
			runs++
			return err
		}}, journal)
		require.Equal(t, 1, runs)
		require.Len(t, failures, 50)
		require.Equal(t, kind, fault.KindOf(failures["7"]))
		require.Empty(t, journal.seen())
	}
}

// A stage that runs again is given only what has no outcome yet.
func TestBisectionLeavesOutWhatIsResolved(t *testing.T) {
	var runs [][]string
	failures := together(t, nil, numbers(6), stage{"pick", func(_ context.Context, items []*Item[string]) error {
		runs = append(runs, values(items))
		if len(runs) > 1 {
			return nil
		}
		items[0].Fail(errors.New("refused"))
		items[2].Finish()
		items[4].Follow(items[5])
		return errors.New("and then the stage failed")
	}})
	require.Equal(t, [][]string{{"0", "1", "2", "3", "4", "5"}, {"1"}, {"3", "5"}}, runs)
	require.Len(t, failures, 1)
	require.ErrorContains(t, failures["0"], "refused")
}

// follow makes all others follow the first one.
func follow(runs *[][]string) stage {
	return stage{"dedup", func(_ context.Context, items []*Item[string]) error {
		*runs = append(*runs, values(items))
		for _, item := range items[1:] {
			item.Follow(items[0])
		}
		return nil
	}}
}

func TestFollowersShareSuccess(t *testing.T) {
	var runs [][]string
	journal := &journal{}
	require.Empty(t, together(t, nil, numbers(3), follow(&runs), journal))
	require.Equal(t, [][]string{{"0"}}, journal.seen())
}

// Followers of a leader that failed for a reason of its own run after all, here until one succeeds for the rest.
func TestFollowersRunAfterTheirLeaderFailed(t *testing.T) {
	var runs [][]string
	failures := together(t, nil, numbers(5), follow(&runs), stage{"refuse", func(_ context.Context, items []*Item[string]) error {
		for _, item := range items {
			if item.Value < "2" {
				item.Fail(fault.Invalidf("refused", "no"))
			}
		}
		return nil
	}})
	require.Equal(t, [][]string{{"0", "1", "2", "3", "4"}, {"1", "2", "3", "4"}, {"2", "3", "4"}}, runs)
	require.Len(t, failures, 2)
	require.Contains(t, failures, "0")
	require.Contains(t, failures, "1")
}

func TestFollowersShareUnavailability(t *testing.T) {
	var runs [][]string
	failures := together(t, nil, numbers(5), follow(&runs), stage{"store", func(context.Context, []*Item[string]) error {
		return fault.Unavailablef("down")
	}})
	require.Len(t, runs, 1, "those that follow would find the store down as well")
	require.Len(t, failures, 5)
	require.Equal(t, fault.Unavailable, fault.KindOf(failures["4"]))
}

// Following is by whoever does the work in the end, and never in a circle.
func TestFollowersOfFollowers(t *testing.T) {
	for name, link := range map[string]func(items []*Item[string]){
		"towards the leader":   func(i []*Item[string]) { i[1].Follow(i[0]); i[2].Follow(i[1]) },
		"away from the leader": func(i []*Item[string]) { i[2].Follow(i[1]); i[1].Follow(i[0]) },
		"in a circle":          func(i []*Item[string]) { i[1].Follow(i[0]); i[2].Follow(i[1]); i[0].Follow(i[2]) },
		"backwards":            func(i []*Item[string]) { i[0].Follow(i[1]); i[1].Follow(i[2]) },
		"itself":               func(i []*Item[string]) { i[0].Follow(i[0]); i[1].Follow(i[0]); i[2].Follow(i[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, bad := range []string{"", "0", "1", "2"} {
				journal := &journal{}
				first := true
				failures := together(t, nil, numbers(3), stage{"link", func(_ context.Context, items []*Item[string]) error {
					if first {
						link(items)
					}
					first = false
					return nil
				}}, stage{"refuse", func(_ context.Context, items []*Item[string]) error {
					for _, item := range items {
						if item.Value == bad {
							item.Fail(fault.Invalidf("refused", "no"))
						}
					}
					return nil
				}}, journal)
				require.NotEmpty(t, journal.seen())
				for payload := range failures {
					require.Equal(t, bad, payload, "an outcome of %q without a reason", payload)
				}
			}
		})
	}
}

// A follower of followers that all fail for reasons of their own runs in the end: nobody else did its work.
func TestFollowerOfFollowersThatFail(t *testing.T) {
	journal := &journal{}
	linked := false
	failures := together(t, nil, numbers(3), stage{"link", func(_ context.Context, items []*Item[string]) error {
		if !linked {
			items[2].Follow(items[1])
			items[1].Follow(items[0])
		}
		linked = true
		return nil
	}}, stage{"refuse", func(_ context.Context, items []*Item[string]) error {
		for _, item := range items {
			if item.Value < "2" {
				item.Fail(fault.Invalidf("refused", "no"))
			}
		}
		return nil
	}}, journal)
	require.Len(t, failures, 2)
	require.Equal(t, [][]string{{"2"}}, journal.seen())
}

// What stages note about a message goes into its error, the later note before the earlier one.
func TestNotes(t *testing.T) {
	failures := together(t, nil, numbers(2), stage{"persist", func(_ context.Context, items []*Item[string]) error {
		items[0].Note("applied", "false")
		items[0].Note("record", "1")
		return nil
	}}, stage{"aggregate", func(_ context.Context, items []*Item[string]) error {
		for _, item := range items {
			item.Fail(&fault.Error{Kind: fault.Internal, Notes: map[string]string{"record": "2"}, Err: errors.New("no")})
		}
		return nil
	}})
	require.Equal(t, map[string]string{"applied": "false", "record": "2"}, fault.Of(failures["0"]).Notes)
	require.Equal(t, map[string]string{"record": "2"}, fault.Of(failures["1"]).Notes)
}

// watch is an observer that notes what it is told.
type watch struct{ lines []string }

func (w *watch) StageDone(stage string, items int, _ time.Duration, err error) {
	w.lines = append(w.lines, fmt.Sprintf("%s %d %v", stage, items, err))
}

func (w *watch) BatchDone(items int, _ time.Duration, err error) {
	w.lines = append(w.lines, fmt.Sprintf("batch %d %v", items, err))
}

// An observer hears of every run of a stage, and of a batch with an error only if a dependency was unavailable to it.
func TestObserver(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		lines []string
	}{
		{"success", nil, []string{"store 2 <nil>", "batch 2 <nil>"}},
		{"unavailable", fault.Unavailablef("down"), []string{"store 2 down", "batch 2 down"}},
		{"internal", errors.New("bug"), []string{"store 2 bug", "store 1 bug", "store 1 bug", "batch 2 <nil>"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &watch{}
			together(t, w, numbers(2), stage{"store", func(context.Context, []*Item[string]) error { return test.err }})
			require.Equal(t, test.lines, w.lines)
		})
	}
}
