package batch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/fault"
)

// DecodeStage is the stage named in errors of messages that could not be decoded.
const DecodeStage = "decode"

var errClosed = &fault.Error{Kind: fault.Canceled, Err: errors.New("the batch engine is closed")}

// Engine runs one chain of stages. Create it with New, call Start once, hand Handle to the router, call Close once.
type Engine[T any] struct {
	policy Policy[T]
	decode func(*message.Message) (T, error)
	stages []Stage[T]

	queue   chan *Item[T] // what no worker took yet; never more than the subscriber's window of messages in flight
	keys    keyring[T]
	turn    chan struct{} // held while a batch forms, where batches must not form side by side; else nil
	closing chan struct{}
	stopped chan struct{} // closed when no worker is left
	workers sync.WaitGroup

	ctx    context.Context // ends when Close runs out of time
	cancel context.CancelFunc
}

// New returns an engine that decodes messages and runs the stages over them in the given order.
func New[T any](policy Policy[T], decode func(*message.Message) (T, error), stages ...Stage[T]) *Engine[T] {
	if policy.Observer == nil {
		policy.Observer = noObserver{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Engine[T]{
		policy: policy, decode: decode, stages: stages,
		queue:   make(chan *Item[T], policy.Size*policy.Workers),
		keys:    keyring[T]{waiting: make(map[string][]*Item[T])},
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
		ctx:     ctx, cancel: cancel,
	}
	if policy.Linger > 0 || policy.Key != nil {
		e.turn = make(chan struct{}, 1)
	}
	return e
}

// Start starts the workers.
func (e *Engine[T]) Start() {
	for range e.policy.Workers {
		e.workers.Go(e.work)
	}
}

// Close lets the workers finish what was submitted and waits for them. When ctx ends first, it cancels the
// stages, waits for them to return, and reports the context's error. Call it when nothing submits any more.
func (e *Engine[T]) Close(ctx context.Context) error {
	close(e.closing)
	stop := context.AfterFunc(ctx, e.cancel)
	e.workers.Wait()
	close(e.stopped)
	e.cancel()
	if !stop() {
		return ctx.Err()
	}
	return nil
}

// Handle submits a message and waits for its outcome: nil when the whole chain is done with it. It has the
// shape of a Watermill handler. When the context of the message ends first, it returns an error of kind
// canceled, and what the worker still does for the message is found again at its redelivery.
func (e *Engine[T]) Handle(msg *message.Message) error {
	item := &Item[T]{Message: msg, done: make(chan error, 1)}
	ctx := msg.Context()
	select {
	case e.queue <- item:
	case <-ctx.Done():
		return canceled(ctx)
	case <-e.closing:
		return errClosed
	}
	select {
	case err := <-item.done:
		return err
	case <-ctx.Done():
		return canceled(ctx)
	case <-e.stopped:
	}
	select {
	case err := <-item.done:
		return err
	default: // submitted while the engine closed, when no worker was left to take it
		return errClosed
	}
}

func canceled(ctx context.Context) error {
	return &fault.Error{Kind: fault.Canceled, Err: context.Cause(ctx)}
}

func (e *Engine[T]) work() {
	items := make([]*Item[T], 0, e.policy.Size)
	for {
		batch, live := e.next(items[:0])
		if len(batch) == 0 {
			return
		}
		for len(live) > 0 {
			e.runChain(live)
			if e.policy.Key == nil {
				break
			}
			live = e.release(live)
		}
		clear(batch)
	}
}

// next takes a batch and returns it with those of its items that are to run now: decoded, and not waiting for their key.
// Items that cannot be decoded have their outcome. Where a pipeline lingers, one batch gathers at a time, so
// that it fills before the next one begins; where it names keys, items get theirs in the order of submission.
func (e *Engine[T]) next(items []*Item[T]) (batch, live []*Item[T]) {
	if e.turn != nil {
		e.turn <- struct{}{}
		defer func() { <-e.turn }()
	}
	batch = e.take(items)
	live = make([]*Item[T], 0, len(batch))
	for _, item := range batch {
		if e.decodeItem(item); item.state == failed {
			item.done <- item.err
			continue
		}
		live = append(live, item)
	}
	if e.policy.Key != nil {
		live = e.acquire(live)
	}
	return batch, live
}

// take waits for a first item and returns it with all that has accumulated behind it. It returns none when the
// engine closes and the queue is empty.
func (e *Engine[T]) take(items []*Item[T]) []*Item[T] {
	select {
	case item := <-e.queue:
		items = append(items, item)
	case <-e.closing:
		return e.drain(items)
	}
	items = e.drain(items)
	if e.policy.Linger > 0 {
		items = e.linger(items)
	}
	return items
}

func (e *Engine[T]) drain(items []*Item[T]) []*Item[T] {
	for len(items) < e.policy.Size {
		select {
		case item := <-e.queue:
			items = append(items, item)
		default:
			return items
		}
	}
	return items
}

func (e *Engine[T]) linger(items []*Item[T]) []*Item[T] {
	timeout := time.NewTimer(e.policy.Linger)
	defer timeout.Stop()
	for len(items) < e.policy.Size {
		select {
		case item := <-e.queue:
			items = append(items, item)
		case <-timeout.C:
			return items
		case <-e.closing:
			return e.drain(items)
		}
	}
	return items
}

func (e *Engine[T]) decodeItem(item *Item[T]) {
	item.stage = DecodeStage
	defer func() {
		if value := recover(); value != nil {
			item.Fail(fault.Recovered(value))
		}
	}()
	value, err := e.decode(item.Message)
	if err != nil {
		item.Fail(err)
		return
	}
	item.Value = value
	if e.policy.Key != nil {
		item.key = e.policy.Key(value)
	}
}
