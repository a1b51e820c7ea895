package sql

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// listener hears of new messages on a connection of its own, and wakes those who wait for them. It is a help, nothing rests on it: a
// connection through a transaction pooler hears nothing, and foreign publishers say nothing.
type listener struct {
	config  *pgx.ConnConfig
	timeout time.Duration
	log     *slog.Logger
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	ears map[*ear]struct{}
}

// ear is one who waits for messages of a topic.
type ear struct {
	topic string
	heard chan struct{}
}

// newListener makes a listener that connects once somebody listens.
func newListener(config *pgx.ConnConfig, timeout time.Duration, log *slog.Logger) *listener {
	config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()} // no statement is under way that the server would have to give up
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &listener{config: config, timeout: timeout, log: log, ctx: ctx, cancel: cancel}
}

// listen returns an ear, whose channel receives when there may be new messages, until it leaves.
func (l *listener) listen(topic string) *ear {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ears == nil {
		l.ears = make(map[*ear]struct{})
		if l.ctx.Err() == nil {
			l.running.Go(l.run)
		}
	}
	e := &ear{topic: topic, heard: make(chan struct{}, 1)}
	l.ears[e] = struct{}{}
	return e
}

func (l *listener) leave(e *ear) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ears, e)
}

// close ends the connection, and waits for that.
func (l *listener) close() {
	l.mu.Lock()
	l.cancel()
	l.mu.Unlock()
	l.running.Wait()
}

func (l *listener) run() {
	for failures := 0; l.ctx.Err() == nil; failures++ {
		began := time.Now()
		err := l.hear()
		if l.ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			failures = 0
		}
		l.log.Debug("no notifications of new messages for now; polling goes on", "error", err)
		wait(l.ctx, min(5*time.Second, 50*time.Millisecond<<min(failures, 7)))
	}
}

// hear listens until the connection or the listener ends.
func (l *listener) hear() error {
	connecting, cancel := context.WithTimeout(l.ctx, l.timeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(connecting, l.config)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), closeTimeout)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(connecting, "LISTEN "+channel); err != nil {
		return err
	}
	l.wake("")
	for {
		notification, err := conn.WaitForNotification(l.ctx)
		if err != nil {
			return err
		}
		l.wake(notification.Payload)
	}
}

// wake wakes all who wait for the topic, or all, if it is empty.
func (l *listener) wake(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := range l.ears {
		if topic == "" || topic == e.topic {
			select {
			case e.heard <- struct{}{}:
			default:
			}
		}
	}
}
