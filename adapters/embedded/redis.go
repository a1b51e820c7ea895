//go:build !noembedded

// Package embedded is a Redis inside the process, for trying leat out and for single machines. It keeps nothing: what
// matters is in the store.
package embedded

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Available reports whether this build has an embedded Redis and store.
const Available = true

// Redis is a Redis server that other programs, such as redis-cli, can reach too.
type Redis struct {
	server *miniredis.Miniredis
	cancel context.CancelFunc
	clock  sync.WaitGroup
}

// StartRedis starts a server on addr, host:port; port 0 chooses a free one.
func StartRedis(addr string) (*Redis, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(addr); err != nil {
		return nil, fmt.Errorf("embedded Redis: %w (choose another address with --embedded.redis_addr)", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &Redis{server: server, cancel: cancel}
	r.clock.Go(func() { r.tick(ctx) })
	return r, nil
}

// tick lets keys expire: the server does not do so by itself.
func (r *Redis) tick(ctx context.Context) {
	const second = time.Second
	ticker := time.NewTicker(second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.server.FastForward(second)
		}
	}
}

// Addr is the address that the server listens on.
func (r *Redis) Addr() string { return r.server.Addr() }

// Close stops the server. Everything in it is gone.
func (r *Redis) Close() {
	r.cancel()
	r.clock.Wait()
	r.server.Close()
}
