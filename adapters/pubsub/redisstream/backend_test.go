package redisstream

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

func TestPing(t *testing.T) {
	ctx := context.Background()
	server := startRedis(t, "--requirepass", "secret")
	admin := redis.NewClient(&redis.Options{Addr: server.addr, Password: "secret"})
	defer func() { _ = admin.Close() }()
	require.NoError(t, admin.Do(ctx, "acl", "setuser", "mute", "on", ">quiet", "~*", "-@all").Err())
	for _, test := range []struct {
		name    string
		options redis.Options
		kind    fault.Kind
		code    string
	}{
		{"wrong password", redis.Options{Addr: server.addr, Password: "wr0ng"}, fault.Invalid, "credentials"},
		{"no password", redis.Options{Addr: server.addr}, fault.Invalid, "credentials"},
		{"no permission", redis.Options{Addr: server.addr, Username: "mute", Password: "quiet"}, fault.Invalid, "permission"},
		{"no such database", redis.Options{Addr: server.addr, Password: "secret", DB: 99}, fault.Invalid, "database"},
		{"nobody there", redis.Options{Addr: freeAddr(t), Password: "secret"}, fault.Unavailable, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.options.MaxRetries, test.options.DialerRetries = -1, 1
			client := redis.NewClient(&test.options)
			defer func() { _ = client.Close() }()
			err := NewBackend(client, conforming, 5*time.Second, nil).Ping(ctx)
			require.Equal(t, test.kind, fault.KindOf(err), "%v", err)
			require.Equal(t, test.code, fault.Of(err).Code)
			for _, secret := range []string{"secret", "wr0ng", "quiet"} {
				require.NotContains(t, err.Error(), secret)
			}
		})
	}
	require.NoError(t, NewBackend(admin, conforming, 5*time.Second, nil).Ping(ctx))
}

func TestPingKeepsItsTime(t *testing.T) {
	began := time.Now()
	err := NewBackend(plain(t, deaf(t)), conforming, 200*time.Millisecond, nil).Ping(context.Background())
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	require.Less(t, time.Since(began), 2*time.Second)
}

func TestBrokerRefuses(t *testing.T) {
	client := redis.NewClient(&redis.Options{})
	defer func() { _ = client.Close() }()
	ring := redis.NewRing(&redis.RingOptions{})
	defer func() { _ = ring.Close() }()
	group := pubsub.Options{Group: "g"}
	for _, test := range []struct {
		name    string
		client  redis.UniversalClient
		change  func(*Config)
		options pubsub.Options
		says    string
	}{
		{"no group", client, func(*Config) {}, pubsub.Options{}, "group"},
		{"nothing in flight", client, func(c *Config) { c.InFlight = 0 }, group, "in_flight"},
		{"no count", client, func(c *Config) { c.Count = 0 }, group, "count"},
		{"no block", client, func(c *Config) { c.Block = 0 }, group, "block"},
		{"no nack delay", client, func(c *Config) { c.Nack.Delay = 0 }, group, "nack.delay"},
		{"retain below 0", client, func(c *Config) { c.Retain = -1 }, group, "retain"},
		{"a ring", ring, func(*Config) {}, group, "*redis.Ring"},
		{"no client", nil, func(*Config) {}, group, "client"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := conforming
			test.change(&config)
			_, err := NewBackend(test.client, config, 0, nil).Broker(test.options)
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestCloseOfTheBackendLeavesTheClientOpen(t *testing.T) {
	client := connect(t, startRedis(t).addr)
	backend := NewBackend(client, conforming, 5*time.Second, nil)
	require.NoError(t, backend.Publisher().Publish("s", message.NewMessage("1", nil)))
	require.NoError(t, backend.Close())
	require.Equal(t, fault.Canceled, fault.KindOf(backend.Publisher().Publish("s", message.NewMessage("2", nil))))
	require.EqualValues(t, 1, client.XLen(context.Background(), "s").Val())
}
