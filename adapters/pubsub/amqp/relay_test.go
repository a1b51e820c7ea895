package amqp

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// relay passes bytes on between client and server, and can say something in the server's name.
type relay struct {
	addr string
	mu   sync.Mutex
	open []net.Conn // to clients, in the order in which they came
}

func startRelay(t testing.TB) *relay {
	needServer(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return startRelayOn(t, listener)
}

func startRelayOn(t testing.TB, listener net.Listener) *relay {
	r := &relay{addr: listener.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", serverAddr)
			if err != nil {
				_ = client.Close()
				continue
			}
			r.mu.Lock()
			r.open = append(r.open, client)
			r.mu.Unlock()
			running.Go(func() { r.pass(server, client) })
			running.Go(func() { r.pass(client, server) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		r.mu.Lock()
		for _, conn := range r.open {
			_ = conn.Close()
		}
		r.mu.Unlock()
		running.Wait()
	})
	return r
}

func (r *relay) pass(from, to net.Conn) {
	defer func() { _, _ = from.Close(), to.Close() }()
	b := make([]byte, 1<<16)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		r.mu.Lock()
		_, err = to.Write(b[:n])
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// say sends a method of the class connection to the client of the n-th connection, between what the server sends.
func (r *relay) say(t testing.TB, n int, method byte, arguments string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Greater(t, len(r.open), n)
	payload := append([]byte{0, 10, 0, method}, arguments...)
	frame := append([]byte{1, 0, 0, 0, 0, 0, byte(len(payload))}, payload...)
	_, err := r.open[n].Write(append(frame, 0xce))
	require.NoError(t, err)
}
