package redisstream

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// lease keeps a consumer name for one subscription: a key with a random token that lives for ttl and is
// renewed every third of it. While it is held, no other lease gets the name.
type lease struct {
	client        redis.UniversalClient
	log           *slog.Logger
	stream, group string
	base          string
	ttl           time.Duration
	token         string
	names         *names

	renewing sync.Mutex // held during a renewal

	mu      sync.Mutex
	name    string // empty until acquired
	renewed time.Time
}

// names are the consumer names that subscriptions of this process hold, so that a second one need not wait
// for a lease that is not going to end.
type names struct {
	mu   sync.Mutex
	held map[string]struct{}
}

func (n *names) take(key string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, held := n.held[key]; held {
		return false
	}
	n.held[key] = struct{}{}
	return true
}

func (n *names) give(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.held, key)
}

// Both scripts: KEYS lease; ARGV token, ttl in milliseconds. They return 1 if the lease was the token's.
var (
	renewScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`)
	releaseScript = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1`)
)

func newLease(s *subscriber, stream string, log *slog.Logger) *lease {
	return &lease{
		client: s.options.Client, log: log, stream: stream, group: s.options.Group,
		base: s.options.Consumer, ttl: s.options.Lease, token: rand.Text(), names: &s.names,
	}
}

func (l *lease) key(name string) string { return leaseKey(l.stream, l.group, name) }

// consumer returns the name that is held.
func (l *lease) consumer() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.name
}

// acquire takes the base name, waiting one ttl for a holder that may be dead, or else the first free name
// with a suffix.
func (l *lease) acquire(ctx context.Context) error {
	deadline := time.Now().Add(l.ttl + l.ttl/10)
	for {
		ok, elsewhere, err := l.try(ctx, l.base)
		if err != nil || ok {
			return err
		}
		if !elsewhere || time.Now().After(deadline) {
			return l.acquireSuffixed(ctx)
		}
		if err := sleep(ctx, l.ttl/20); err != nil {
			return err
		}
	}
}

func (l *lease) acquireSuffixed(ctx context.Context) error {
	for n := 2; ; n++ {
		name := l.base + "-" + strconv.Itoa(n)
		if ok, _, err := l.try(ctx, name); err != nil || ok {
			if ok {
				l.log.Info("another live process has the consumer name", "name", l.base, "consumer", name)
			}
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// try takes a name if it is free. Elsewhere tells that another process has it.
func (l *lease) try(ctx context.Context, name string) (ok, elsewhere bool, err error) {
	key := l.key(name)
	if !l.names.take(key) {
		return false, false, nil
	}
	asked := time.Now()
	ok, err = l.client.SetNX(ctx, key, l.token, l.ttl).Result()
	if err != nil || !ok {
		l.names.give(key)
		return false, err == nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.name, l.renewed = name, asked
	return true, false, nil
}

// stale reports whether the lease may have ended unnoticed, as after the process was stopped for a while.
func (l *lease) stale() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.renewed) > l.ttl
}

// renew extends the lease. If it was lost it takes the name again, or another one if somebody else has it now.
func (l *lease) renew(ctx context.Context) error {
	l.renewing.Lock()
	defer l.renewing.Unlock()
	name, asked := l.consumer(), time.Now()
	held, err := renewScript.Run(ctx, l.client, []string{l.key(name)}, l.token, l.ttl.Milliseconds()).Bool()
	if err != nil {
		return err
	}
	if held {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.renewed = asked
		return nil
	}
	l.names.give(l.key(name))
	ok, _, err := l.try(ctx, name)
	if err != nil {
		l.names.take(l.key(name))
		return err
	}
	l.log.Warn("the lease on the consumer name had ended", "name", name, "taken_again", ok)
	if ok {
		return nil
	}
	return l.acquireSuffixed(ctx)
}

// release ends the lease so that the next process need not wait. A lease that is not ours is left alone.
func (l *lease) release(ctx context.Context) error {
	name := l.consumer()
	if name == "" {
		return nil
	}
	l.names.give(l.key(name))
	return releaseScript.Run(ctx, l.client, []string{l.key(name)}, l.token).Err()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
