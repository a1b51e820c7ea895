package redisstream

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// reader is where new entries are read. Not safe for concurrent use. Cancelling a context does not interrupt a
// read that blocks; it ends with the block, and even if the server hangs stopSlack later. A read through a client
// that a caller made may take its ReadTimeout instead. A read is sent once only: a second try after a lost
// reply would leave the entries of the first pending and unseen.
type reader interface {
	// read runs an XREADGROUP of one stream and returns the size of the reply in bytes.
	read(ctx context.Context, group, consumer, stream string, count int, block time.Duration, visit func(entry)) (int, error)
	close()
}

// readSlack is how much longer than its block a read may take.
const readSlack = 5 * time.Second

// stopSlack is how much longer than its block a read may take once its context has ended.
const stopSlack = 500 * time.Millisecond

// opener returns what makes a reader with the options of the shared client; nil if it is of a type that is not known.
func opener(client redis.UniversalClient, block time.Duration) func() reader {
	switch client := client.(type) {
	case *redis.Client:
		return func() reader { return newWire(client) }
	case *redis.ClusterClient:
		options := *client.Options()
		options.ReadTimeout, options.MaxRetries, options.ReadOnly = block+readSlack, -1, false
		options.PoolSize, options.MinIdleConns, options.MaxIdleConns, options.MaxActiveConns = 2, 0, 0, 0
		return func() reader { own := options; return &clientReader{redis.NewClusterClient(&own)} }
	}
	return nil
}

// wire reads from a connection of its own. go-redis dials it and logs in, with all the options of the shared
// client; then the connection is out of its hands, because its reader of replies costs more time than all else
// that happens to an entry.
type wire struct {
	options redis.Options
	dialed  atomic.Pointer[net.Conn]
	client  *redis.Client // nil when there is no connection
	held    *redis.Conn
	conn    net.Conn
	replies replyReader
	command []byte
}

func newWire(shared *redis.Client) *wire {
	w := &wire{options: *shared.Options()}
	dial := w.options.Dialer
	w.options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			w.dialed.Store(&conn)
		}
		return conn, err
	}
	w.options.Protocol = 2 // nothing comes unasked
	w.options.PushNotificationProcessor = nil
	w.options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	w.options.MaxRetries, w.options.DialerRetries = -1, 1 // inflight retries
	w.options.PoolSize, w.options.MaxConcurrentDials = 1, 0
	w.options.MinIdleConns, w.options.MaxIdleConns, w.options.MaxActiveConns = 0, 0, 0
	return w
}

func (w *wire) connect(ctx context.Context) error {
	if w.client != nil {
		return nil
	}
	options := w.options
	client := redis.NewClient(&options)
	held := client.Conn()
	if err := held.Ping(ctx).Err(); err != nil {
		_ = held.Close()
		_ = client.Close()
		return err
	}
	w.client, w.held, w.conn = client, held, *w.dialed.Load()
	w.replies = replyReader{source: w.conn}
	return nil
}

func (w *wire) read(ctx context.Context, group, consumer, stream string, count int, block time.Duration, visit func(entry)) (int, error) {
	if err := w.connect(ctx); err != nil {
		return 0, err
	}
	w.command = append(w.command[:0], "*11\r\n"...)
	for _, word := range []string{
		"XREADGROUP", "GROUP", group, consumer, "COUNT", strconv.Itoa(count),
		"BLOCK", strconv.FormatInt(max(1, block.Milliseconds()), 10), "STREAMS", stream, ">",
	} {
		w.command = append(strconv.AppendInt(append(w.command, '$'), int64(len(word)), 10), "\r\n"...)
		w.command = append(append(w.command, word...), "\r\n"...)
	}
	conn := w.conn
	err := conn.SetDeadline(time.Now().Add(block + readSlack))
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now().Add(block + stopSlack)) })()
	if err == nil {
		if _, err = w.conn.Write(w.command); err == nil {
			err = w.replies.next(visit)
		}
	}
	// An error reply ends the connection too: what answers there may be a replica since a switch-over.
	if err != nil && !noGroup(err) {
		w.close()
	}
	return w.replies.size(), err
}

func (w *wire) close() {
	if w.client != nil {
		_ = w.held.Close()
		_ = w.client.Close()
		w.client, w.held, w.conn = nil, nil, nil
	}
}

// clientReader reads through any client.
type clientReader struct{ client redis.UniversalClient }

// onceCmd is a command that go-redis does not send again.
type onceCmd struct{ *redis.Cmd }

func (onceCmd) NoRetry() bool { return true }

func (c *clientReader) read(ctx context.Context, group, consumer, stream string, count int, block time.Duration, visit func(entry)) (int, error) {
	cmd := onceCmd{redis.NewCmd(ctx, "xreadgroup", "group", group, consumer, "count", count,
		"block", max(1, block.Milliseconds()), "streams", stream, ">")}
	if err := c.client.Process(ctx, cmd); err != nil {
		if errors.Is(err, redis.Nil) {
			err = nil
		}
		return 0, err
	}
	return visitDecoded(cmd.Val(), visit)
}

func (c *clientReader) close() { _ = c.client.Close() }
