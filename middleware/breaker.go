package middleware

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/sony/gobreaker/v2"

	"leat/handlers/fault"
)

// BreakerConfig says when a pipeline stops asking a dependency that is down, and when it asks again.
type BreakerConfig struct {
	Failures int           `config:"failures" default:"3" min:"1" doc:"batches in a row that must find a dependency unavailable before reading pauses"`
	Probe    time.Duration `config:"probe" default:"2s" min:"10ms" doc:"how long to wait before one message is tried again"`
}

// Breaker pauses a pipeline whose stores are unavailable. It counts the outcomes of batches, which Record is told,
// not of messages. While it is open no message reaches the handler and subscribers that ask Wait do not read;
// what is in flight is held. After a while one message is let through as a probe: its batch decides.
type Breaker struct {
	config   BreakerConfig
	maxHold  time.Duration
	draining <-chan struct{}
	logger   *slog.Logger
	observe  func(open bool)

	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]
	probe   chan struct{} // holds the one permit to try a message while the circuit is not closed

	mu      sync.Mutex
	state   gobreaker.State
	changed chan struct{} // closed and replaced at every change of state
	opened  time.Time
	logged  time.Time
	timer   *time.Timer
}

// NewBreaker returns a closed breaker. maxHold is how long the broker lets a message wait without an outcome (0: for
// ever). observe is called with true when the breaker opens and with false when it closes again.
func NewBreaker(config BreakerConfig, maxHold time.Duration, draining <-chan struct{}, logger *slog.Logger, observe func(open bool)) *Breaker {
	b := &Breaker{
		config: config, maxHold: maxHold, draining: draining, logger: logger, observe: observe,
		probe: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	b.probe <- struct{}{}
	b.circuit = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   1,
		Timeout:       config.Probe,
		ReadyToTrip:   func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= uint32(config.Failures) },
		OnStateChange: func(_ string, _, to gobreaker.State) { b.change(to) },
		IsSuccessful:  func(err error) bool { return err == nil || fault.KindOf(err) != fault.Unavailable },
	})
	return b
}

// Record tells the breaker how a batch ended: with nil, or with the error that made a dependency unavailable to it.
func (b *Breaker) Record(err error) {
	done, refused := b.circuit.Allow()
	if refused != nil { // open: outcomes of batches that began before it opened say nothing new
		return
	}
	done(err)
	if err != nil {
		b.logHeld(err)
	}
}

// Wait blocks while the breaker is open.
func (b *Breaker) Wait(ctx context.Context) error {
	for {
		state, changed := b.now()
		if state != gobreaker.StateOpen {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Middleware holds messages while the breaker is not closed, and holds those again that failed because a dependency
// was unavailable, for maxHold at most. What it gives up stays in the broker: the error is of kind
// unavailable or, when the program drains, canceled.
func (b *Breaker) Middleware(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		var deadline time.Time
		for {
			probing, err := b.admit(msg.Context(), &deadline)
			if err != nil {
				return nil, err
			}
			produced, err := b.pass(next, msg, probing)
			if err == nil || fault.KindOf(err) != fault.Unavailable {
				return produced, err
			}
			if state, _ := b.now(); state == gobreaker.StateClosed {
				return nil, err
			}
		}
	}
}

// pass runs the handler. A probe hands its permit back however the handler ends.
func (b *Breaker) pass(next message.HandlerFunc, msg *message.Message, probing bool) ([]*message.Message, error) {
	if probing {
		defer func() { b.probe <- struct{}{} }()
	}
	return next(msg)
}

// admit waits until a message may pass. It reports whether the message passes as a probe.
func (b *Breaker) admit(ctx context.Context, deadline *time.Time) (probing bool, err error) {
	var expired <-chan time.Time
	for {
		state, changed := b.now()
		if state == gobreaker.StateClosed {
			return false, nil
		}
		if b.maxHold > 0 && expired == nil {
			if deadline.IsZero() {
				*deadline = time.Now().Add(b.maxHold)
			}
			timer := time.NewTimer(time.Until(*deadline))
			defer timer.Stop()
			expired = timer.C
		}
		permit := b.probe
		if state == gobreaker.StateOpen {
			permit = nil
		}
		select {
		case <-b.draining: // before a permit, which may be free as well
			return false, ErrDraining
		default:
		}
		select {
		case <-permit:
			if state, _ := b.now(); state == gobreaker.StateHalfOpen {
				return true, nil
			}
			b.probe <- struct{}{}
		case <-changed:
		case <-expired:
			return false, fault.Unavailablef("held for %s while a dependency was unavailable; handed back to the broker", b.maxHold)
		case <-b.draining:
			return false, ErrDraining
		case <-ctx.Done():
			return false, &fault.Error{Kind: fault.Canceled, Err: context.Cause(ctx)}
		}
	}
}

func (b *Breaker) now() (gobreaker.State, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, b.changed
}

// change is called by the circuit, which holds its own lock.
func (b *Breaker) change(to gobreaker.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := b.state
	b.state = to
	close(b.changed)
	b.changed = make(chan struct{})
	switch to {
	case gobreaker.StateOpen:
		// The circuit leaves the open state only when somebody asks for its state.
		b.timer = time.AfterFunc(b.config.Probe+time.Millisecond, func() { b.circuit.State() })
		if from == gobreaker.StateClosed {
			b.opened = time.Now()
			b.observe(true)
		}
	case gobreaker.StateClosed:
		b.logger.Info("breaker closed: reading goes on", "open_for", time.Since(b.opened).Round(time.Millisecond))
		b.logged = time.Time{}
		b.observe(false)
	}
}

// logHeld writes one line when the breaker has opened and then one a minute.
func (b *Breaker) logHeld(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != gobreaker.StateOpen || time.Since(b.logged) < time.Minute {
		return
	}
	b.logged = time.Now()
	b.logger.Warn("breaker open: reading pauses, what is in flight is held",
		"error", err, "open_for", time.Since(b.opened).Round(time.Millisecond), "next_probe_in", b.config.Probe)
}

// Close stops the timer of the next probe.
func (b *Breaker) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer != nil {
		b.timer.Stop()
	}
}
