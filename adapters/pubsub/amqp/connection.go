package amqp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	rabbit "github.com/rabbitmq/amqp091-go"

	"leat/handlers/fault"
)

const (
	// grace is how long a call may go on when its context has ended, before the connection is cut because of it. A call that a
	// healthy server is about to answer must not cost everybody the connection.
	grace = 700 * time.Millisecond
	// closeWait is how long the end of a connection waits for the server.
	closeWait = time.Second
)

// connection is one connection, alive or dead.
type connection struct {
	*rabbit.Connection
	socket    *socket
	timeout   time.Duration
	blocked   atomic.Pointer[chan struct{}] // nil unless the server is blocked: closed when it no longer is
	watching  sync.WaitGroup
	declaring chan struct{} // of size 1: held by who declares something
	declared  sync.Map      // topics whose exchange, and names whose queue, this connection has seen
}

// cut ends the connection at once. All calls under way return with an error.
func (c *connection) cut() { _ = c.socket.Close() }

// close ends the connection and waits for its goroutines.
func (c *connection) close() {
	_ = c.CloseDeadline(time.Now().Add(closeWait))
	c.cut()
	c.watching.Wait()
}

// call runs a call that waits for the server. Calls of the client library do not end with a context, so when ctx ends, or the
// timeout passes, the connection is cut, which does end them.
func (c *connection) call(ctx context.Context, call func() error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.bounded(ctx, call)
}

// bounded is call without a timeout but that of ctx.
func (c *connection) bounded(ctx context.Context, call func() error) error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
	}
	c.cut()
	return fmt.Errorf("no answer from the server: %w: %w", ctx.Err(), <-done)
}

// onChannel runs f on a channel of its own: whatever the server refuses, it ends the channel.
func (c *connection) onChannel(ctx context.Context, f func(*rabbit.Channel) error) error {
	return c.call(ctx, func() error {
		channel, err := c.Channel()
		if err != nil {
			return err
		}
		return errors.Join(f(channel), channel.Close())
	})
}

// watch keeps account of whether the server is blocked, until the connection ends.
func (c *connection) watch() {
	changes := c.NotifyBlocked(make(chan rabbit.Blocking, 1))
	c.watching.Go(func() {
		for change := range changes {
			if change.Active {
				over := make(chan struct{})
				c.blocked.CompareAndSwap(nil, &over)
			} else if over := c.blocked.Swap(nil); over != nil {
				close(*over)
			}
		}
		if over := c.blocked.Swap(nil); over != nil {
			close(*over)
		}
	})
}

// once runs declare unless it has succeeded before on this connection, by the name of what is declared. Those who come
// meanwhile wait: a quorum queue that is being made takes no messages yet.
func (c *connection) once(ctx context.Context, name string, declare func() error) error {
	if _, done := c.declared.Load(name); done {
		return nil
	}
	select {
	case c.declaring <- struct{}{}:
		defer func() { <-c.declaring }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, done := c.declared.Load(name); done {
		return nil
	}
	err := declare()
	if err == nil {
		c.declared.Store(name, nil)
	}
	return err
}

// errBlocked is why nothing can be published while the server is short of memory or disk.
var errBlocked = errors.New("the server takes no messages now: it is short of memory or disk (connection.blocked)")

// unblocked waits until the server takes messages.
func (c *connection) unblocked(ctx context.Context) error {
	over := c.blocked.Load()
	if over == nil {
		return nil
	}
	select {
	case <-*over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errBlocked, ctx.Err())
	}
}

// line is a connection that is made when it is needed, and made again when it is dead.
type line struct {
	dial    func(ctx context.Context, purpose string) (*connection, error)
	purpose string
	life    context.Context // ends with close
	end     context.CancelFunc
	lock    chan struct{} // of size 1: held by whoever looks at conn, or changes it
	conn    *connection
}

func newLine(dial func(context.Context, string) (*connection, error), purpose string) *line {
	life, end := context.WithCancel(context.Background())
	return &line{dial: dial, purpose: purpose, life: life, end: end, lock: make(chan struct{}, 1)}
}

// get returns the connection, made anew if it is dead. Errors have their kind.
func (l *line) get(ctx context.Context) (*connection, error) {
	select {
	case l.lock <- struct{}{}:
		defer func() { <-l.lock }()
	case <-ctx.Done():
		return nil, unavailable(ctx.Err(), "wait for the connection")
	}
	if l.life.Err() != nil {
		return nil, &fault.Error{Kind: fault.Canceled, Code: "closed", Err: errors.New("amqp: the backend is closed")}
	}
	if l.conn != nil && !l.conn.IsClosed() {
		return l.conn, nil
	}
	if l.conn != nil {
		l.conn.close()
		l.conn = nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.life, cancel)()
	conn, err := l.dial(ctx, l.purpose)
	if err != nil {
		return nil, err
	}
	l.conn = conn
	return conn, nil
}

// close ends the connection for good.
func (l *line) close() {
	l.end()
	l.lock <- struct{}{}
	defer func() { <-l.lock }()
	if l.conn != nil {
		l.conn.close()
		l.conn = nil
	}
}
