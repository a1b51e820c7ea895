package batch

import (
	"time"

	"leat/handlers/fault"
)

// runChain runs the stages over decoded items and delivers every outcome. Each pass resolves at least one
// leader, so it ends.
func (e *Engine[T]) runChain(items []*Item[T]) {
	if len(items) == 0 {
		return
	}
	started := time.Now()
	for pass := items; len(pass) > 0; pass = unled(items) {
		e.pass(pass)
	}
	var unavailable error
	for _, item := range items {
		if item.err != nil && unavailable == nil && fault.KindOf(item.err) == fault.Unavailable {
			unavailable = item.err
		}
	}
	e.policy.Observer.BatchDone(len(items), time.Since(started), unavailable)
	for _, item := range items {
		item.done <- item.err
	}
}

func (e *Engine[T]) pass(items []*Item[T]) {
	for _, stage := range e.stages {
		if items = stillRunning(items); len(items) == 0 {
			return
		}
		e.runStage(stage, items)
	}
	for _, item := range stillRunning(items) {
		item.Finish()
	}
}

// runStage runs one stage and, where it fails as a whole through a fault of some item, bisects until that item is
// alone with it.
func (e *Engine[T]) runStage(stage Stage[T], items []*Item[T]) {
	for _, item := range items {
		item.stage = stage.Name()
	}
	started := time.Now()
	err := e.call(stage, items)
	e.policy.Observer.StageDone(stage.Name(), len(items), time.Since(started), err)
	if err == nil {
		return
	}
	kind := fault.KindOf(err)
	items = stillRunning(items)
	if len(items) <= 1 || kind == fault.Unavailable || kind == fault.Canceled {
		for _, item := range items {
			item.Fail(err)
		}
		return
	}
	half := len(items) / 2
	e.runStage(stage, items[:half])
	e.runStage(stage, items[half:])
}

func (e *Engine[T]) call(stage Stage[T], items []*Item[T]) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fault.Recovered(value)
		}
	}()
	return stage.Run(e.ctx, items)
}

// unled gives followers the outcome of their leader, and returns those that have to run themselves because the
// leader failed for a reason of its own.
func unled[T any](items []*Item[T]) []*Item[T] {
	var again []*Item[T]
	for _, item := range items {
		if item.state != following {
			continue
		}
		leader := item.leader.root()
		if leader.state == running { // it has to run itself; the item goes on following it
			continue
		}
		if leader.state == failed {
			if kind := fault.KindOf(leader.err); kind != fault.Unavailable && kind != fault.Canceled {
				item.state, item.leader = running, nil
				again = append(again, item)
				continue
			}
		}
		item.state, item.err = leader.state, leader.err
	}
	return again
}

// stillRunning returns the items without an outcome: the same slice where that is all of them.
func stillRunning[T any](items []*Item[T]) []*Item[T] {
	for n, item := range items {
		if item.state == running {
			continue
		}
		rest := append(make([]*Item[T], 0, len(items)), items[:n]...)
		for _, item := range items[n+1:] {
			if item.state == running {
				rest = append(rest, item)
			}
		}
		return rest
	}
	return items
}
