package batch

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

// plan says what a chain does to one message, and how the message ends for that reason.
type plan struct {
	stage int // that does it; later than all stages means never
	deed  int
	err   error
}

const (
	succeed  = iota
	failItem // the stage fails the item
	failAll  // the stage fails all items that are with this one
	panics
	finish // the stage ends the item with success
)

// Whatever stages do, every message has exactly one outcome, and it is its own: that of its plan, unchanged by its neighbours.
func TestOutcomesAreWhatTheFailuresSay(t *testing.T) {
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 1))
		const stages = 4
		plans := map[string]plan{}
		payloads := numbers(1 + random.IntN(60))
		for _, payload := range payloads {
			p := plan{stage: random.IntN(stages + 8)}
			if p.stage < stages {
				if p.deed = failItem + random.IntN(4); p.deed != finish {
					p.err = fault.Invalidf(payload, "stage %d refuses %s", p.stage, payload)
				}
			}
			plans[payload] = p
		}
		var chain []Stage[string]
		for n := range stages {
			chain = append(chain, stage{strconv.Itoa(n), func(_ context.Context, items []*Item[string]) error {
				return carryOut(n, plans, items)
			}})
		}
		synctest.Test(t, func(t *testing.T) {
			engine := start(t, Policy[string]{Config: Config{Size: 1 + random.IntN(20), Workers: 1 + random.IntN(3)}}, chain...)
			got := submitAll(engine, payloads).all()
			require.Len(t, got, len(payloads), "seed %d", seed)
			for payload, err := range got {
				p := plans[payload]
				switch {
				case p.err == nil:
					require.NoError(t, err, "seed %d: %s", seed, payload)
				case p.deed == panics:
					require.ErrorContains(t, err, p.err.Error(), "seed %d: %s", seed, payload)
					require.Equal(t, "panic", fault.Of(err).Code)
				default:
					require.ErrorIs(t, err, p.err, "seed %d: %s", seed, payload)
					require.Equal(t, strconv.Itoa(p.stage), fault.Of(err).Stage)
				}
			}
		})
	}
}

func carryOut(stage int, plans map[string]plan, items []*Item[string]) error {
	var all error
	for _, item := range items {
		p := plans[item.Value]
		if p.stage < stage && p.deed != succeed {
			panic("a stage was given " + item.Value + ", which had its outcome")
		}
		if p.stage != stage {
			continue
		}
		switch p.deed {
		case failItem:
			item.Fail(p.err)
		case finish:
			item.Finish()
		case failAll:
			all = errors.Join(all, p.err)
		case panics:
			panic(p.err)
		}
	}
	return all
}

// submitAll hands messages over as fast as it can, in no order.
func submitAll(engine *Engine[string], payloads []string) *outcomes {
	o := &outcomes{errs: map[string]error{}}
	for _, payload := range payloads {
		o.wait.Go(func() { o.add(payload, handle(engine, payload)) })
	}
	return o
}
