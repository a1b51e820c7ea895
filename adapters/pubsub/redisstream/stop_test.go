package redisstream

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
)

// tellingClose closes a channel when the subscriber is closed.
type tellingClose struct {
	*subscriber
	closing chan struct{}
}

func (c tellingClose) Close() error {
	close(c.closing)
	return c.subscriber.Close()
}

// TestStopsInTheMiddleNeitherLoseNorRepeat stops a router again and again while it works, and counts.
func TestStopsInTheMiddleNeitherLoseNorRepeat(t *testing.T) {
	onBoth(t, func(t *testing.T, client *redis.Client) {
		const n = 3000
		ids := xadd(t, client, "s", n)
		var mu sync.Mutex
		handled := make(map[string]int)
		for len(handled) < n {
			options := quick(client)
			options.CloseTimeout = patience
			subscriber, err := newSubscriber(options)
			require.NoError(t, err)
			router, err := message.NewRouter(message.RouterConfig{CloseTimeout: patience}, watermill.NopLogger{})
			require.NoError(t, err)
			enough, stop := context.WithCancel(context.Background())
			var count atomic.Int64
			closing := make(chan struct{})
			router.AddConsumerHandler("count", "s", tellingClose{subscriber, closing}, func(msg *message.Message) error {
				nth := count.Add(1)
				mu.Lock()
				handled[msg.Metadata[delivery.KeyPosition]]++
				if len(handled) == n || nth == 700 {
					stop()
				}
				mu.Unlock()
				if nth%10 == 0 {
					<-closing // some handlers are at work when the stop comes
				}
				return msg.Context().Err()
			})
			ran := make(chan struct{})
			go func() { defer close(ran); _ = router.Run(context.Background()) }()
			<-enough.Done()
			require.NoError(t, router.Close())
			<-ran
		}
		require.Empty(t, pending(t, client, "s"))
		for _, id := range ids {
			require.Equal(t, 1, handled[id])
		}
	})
}

// cutter is a way to Redis that breaks off in the middle of large replies, the first few times.
type cutter struct {
	listener net.Listener
	cuts     atomic.Int64
	done     sync.WaitGroup
}

func startCutter(t *testing.T, to string, cuts, after int) *cutter {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cutter{listener: listener}
	c.cuts.Store(int64(cuts))
	c.done.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = from.Close()
				continue
			}
			c.done.Go(func() { _, _ = io.Copy(server, from); _ = server.Close() })
			c.done.Go(func() {
				defer func() { _ = from.Close(); _ = server.Close() }()
				for n, buf := 0, make([]byte, 1024); ; {
					m, err := server.Read(buf)
					if n += m; err != nil || n > after && c.cuts.Add(-1) >= 0 {
						return
					}
					if _, err := from.Write(buf[:m]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = listener.Close(); c.done.Wait() })
	return c
}

func TestRepliesThatBreakOffLoseNothing(t *testing.T) {
	server := startRedis(t)
	direct := connect(t, server.addr)
	const n = 500
	ids := xadd(t, direct, "s", n)
	cutter := startCutter(t, server.addr, 5, 3000)
	options := quick(direct)
	options.InFlight, options.Count = n, 100
	options.Client = connect(t, cutter.listener.Addr().String())
	_, messages := subscribe(t, options, "s")
	seen := make(map[string]bool)
	for range n {
		msg := receive(t, messages)
		id := msg.Metadata[delivery.KeyPosition]
		require.False(t, seen[id], "delivered twice at a time")
		seen[id] = true
	}
	require.Len(t, seen, len(ids))
	require.Negative(t, cutter.cuts.Load(), "nothing was cut")
}

func TestLostReplyIsHandedBackAtTheStop(t *testing.T) {
	server := startRedis(t)
	direct := connect(t, server.addr)
	cutter := startCutter(t, server.addr, 1_000_000, 3000)
	options := quick(direct)
	// Only reads go through the cutter.
	options.open = func() reader {
		return &clientReader{redis.NewClient(&redis.Options{Addr: cutter.listener.Addr().String(), MaxRetries: -1})}
	}
	options.InFlight, options.Count = 500, 500
	gate := make(fakeGate, 1)
	options.Gate = gate
	subscriber, messages := subscribe(t, options, "s")
	xadd(t, direct, "s", 200)
	gate <- struct{}{}
	require.Eventually(t, func() bool { return len(pending(t, direct, "s")) == 200 }, patience, time.Millisecond)
	require.NoError(t, subscriber.Close())
	_, open := <-messages
	require.False(t, open)
	for _, p := range pending(t, direct, "s") {
		require.Zero(t, p.RetryCount)
		require.Greater(t, p.Idle, time.Hour)
	}
}

// A stop keeps its time even if Redis is away, or accepts connections and says nothing.
func TestCloseKeepsItsTimeWithoutRedis(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, s *server){
		"away":  func(_ *testing.T, s *server) { s.kill() },
		"hangs": func(t *testing.T, s *server) { require.NoError(t, s.cmd.Process.Signal(syscall.SIGSTOP)) },
	} {
		for _, outcome := range []string{"acked", "nacked", "no answer"} {
			t.Run(name+", "+outcome, func(t *testing.T) {
				t.Parallel()
				server := startRedis(t)
				client := redis.NewClient(&redis.Options{Addr: server.addr, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1})
				t.Cleanup(func() { _ = client.Close() })
				options := quick(client)
				options.Block, options.CloseTimeout = time.Second, time.Second
				subscriber, messages := subscribe(t, options, "s")
				xadd(t, client, "s", 2)
				all := receiveAll(t, messages, 2)
				require.Eventually(t, func() bool { // the reader waits for more
					return strings.Contains(client.Info(context.Background(), "clients").Val(), "blocked_clients:1")
				}, patience, time.Millisecond)
				leave(t, server)
				switch outcome {
				case "acked":
					for _, msg := range all {
						msg.Ack()
					}
					<-all[0].Context().Done() // the sweeper is at it
				case "nacked":
					for _, msg := range all {
						msg.Nack()
					}
					require.Eventually(t, func() bool { return len(messages) == len(all) }, patience, time.Millisecond, "delivered again")
				}
				began := time.Now()
				_ = subscriber.Close()
				require.Less(t, time.Since(began), 2*options.CloseTimeout+2*time.Second)
			})
		}
	}
}
