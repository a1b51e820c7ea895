package inflight

import (
	"context"
	"sync"
	"time"
)

// messageContext is the context of one delivery. It has the values of the subscription's context, and ends
// with context.Canceled once the delivery has an outcome or the subscription is stopped for good. It makes its
// channel only when somebody asks for it, which most handlers never do.
type messageContext struct {
	values context.Context

	mu    sync.Mutex
	done  chan struct{}
	err   error
	after map[*func()]struct{}
}

var closedChannel = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (c *messageContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *messageContext) Value(key any) any { return c.values.Value(key) }

func (c *messageContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
	}
	return c.done
}

func (c *messageContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// AfterFunc spares the context package a goroutine for each context that is derived from this one.
func (c *messageContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	if c.after == nil {
		c.after = make(map[*func()]struct{})
	}
	key := &f
	c.after[key] = struct{}{}
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		_, waiting := c.after[key]
		delete(c.after, key)
		return waiting
	}
}

func (c *messageContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = context.Canceled
	if c.done == nil {
		c.done = closedChannel
	} else {
		close(c.done)
	}
	for f := range c.after {
		go (*f)()
	}
	c.after = nil
}
