package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub/redisstream"
	"leat/config"
)

// server is a redis-server of our own.
type server struct {
	addr    string
	version string
	client  *redis.Client
	process *exec.Cmd
	dir     string
}

func startRedis(ctx context.Context) (*server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not installed; the benchmarks need a real one")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	if err := listener.Close(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "leat-bench")
	if err != nil {
		return nil, err
	}
	s := &server{addr: addr, dir: dir}
	s.process = exec.CommandContext(context.WithoutCancel(ctx), path, "--port", port, "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no")
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	s.client = redis.NewClient(&redis.Options{Addr: addr})
	for range 100 {
		if info, err := s.client.InfoMap(ctx, "server").Result(); err == nil {
			s.version = info["Server"]["redis_version"]
			return s, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("redis-server on %s does not answer", addr)
}

// backend returns leat's, as it is configured by default.
func (s *server) backend() *redisstream.Backend { return newBackend(s.client) }

func newBackend(client *redis.Client) *redisstream.Backend {
	return redisstream.NewBackend(client, config.Default().Broker.RedisStream, 0, nil)
}

func (s *server) stop() {
	_ = s.client.Close()
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
	_ = os.RemoveAll(s.dir)
}

// waitAcked returns when the group has been given n entries of the stream and has acked them all.
func (s *server) waitAcked(ctx context.Context, stream, group string, n int64) error {
	for {
		groups, err := s.client.XInfoGroups(ctx, stream).Result()
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.Name == group && g.EntriesRead >= n && g.Pending == 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}
