package app

import (
	"bytes"
	"context"
	"errors"
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/config"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// fakeBackend is a broker of which only a ping is asked.
type fakeBackend struct {
	pubsub.Backend
	ping func(context.Context) error
}

func (b fakeBackend) Ping(ctx context.Context) error { return b.ping(ctx) }

// A broker that hangs keeps nobody from the others, and nobody who asks from the answer of an earlier question.
func TestPingAsksAll(t *testing.T) {
	asked := make(chan struct{}, 2)
	down := errors.New("nats: no answer")
	b := &brokers{open: map[string]pubsub.Backend{
		"nats": fakeBackend{ping: func(ctx context.Context) error { asked <- struct{}{}; <-ctx.Done(); return down }},
		"amqp": fakeBackend{ping: func(ctx context.Context) error { asked <- struct{}{}; <-ctx.Done(); return nil }},
	}}
	ctx, cancel := context.WithCancel(t.Context())
	answer := make(chan error)
	go func() { answer <- b.ping(ctx) }()
	<-asked
	<-asked // both, though neither has answered
	require.True(t, b.mu.TryLock(), "who asks a broker that hangs holds nothing")
	b.mu.Unlock()
	cancel()
	require.EqualError(t, <-answer, down.Error())
}

// store.uri stands in for broker.sql.uri only where it is PostgreSQL: what else it is, the broker could not explain.
func TestSQLWithoutURI(t *testing.T) {
	for _, uri := range []string{"", "sqlite:leat.db", "mongodb://127.0.0.1"} {
		cfg := config.Default()
		cfg.Store.URI = uri
		_, err := connect(t.Context(), config.SQL, cfg, nil, nil)
		require.ErrorContains(t, err, "set broker.sql.uri", uri)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
	}
}

type unknownLag struct{ cancel func() }

func (l unknownLag) Lag(context.Context, string) (pubsub.Lag, error) {
	l.cancel()
	return pubsub.Lag{Waiting: -1, Pending: 3}, nil
}

// What a broker cannot tell is no number: a gauge of -1 would spoil sums.
func TestLagUnknown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	watch := lagWatch{
		reader:  unknownLag{cancel},
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "waiting"}), pending: prometheus.NewGauge(prometheus.GaugeOpts{Name: "pending"}),
	}
	watch.run(ctx)
	require.True(t, math.IsNaN(testutil.ToFloat64(watch.waiting)))
	require.Equal(t, 3.0, testutil.ToFloat64(watch.pending))
}

type fixedFloors map[string]delivery.Position

func (f fixedFloors) Floors(context.Context, string) (map[string]delivery.Position, error) {
	return f, nil
}

// Only of a broker that is a server of its own do messages outlive an embedded Redis at the positions they had.
func TestOutlived(t *testing.T) {
	floors := fixedFloors{"nats:events": {Major: 7}}
	for name, test := range map[string]struct {
		kind string
		can  pubsub.Capabilities
		want map[string]delivery.Position
	}{
		"a server of its own": {config.NATS, able, floors},
		"in Redis":            {config.RedisStream, able, nil},
		"in this process":     {config.GoChannel, pubsub.Capabilities{}, nil},
		"without positions":   {config.AMQP, pubsub.Capabilities{Durable: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pipeline{broker: pubsub.Broker{Floors: floors, Capabilities: test.can}}
			got, err := p.outlived(t.Context(), config.Broker{Kind: test.kind})
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

// The hint sends an event where the pipeline reads.
func TestWelcome(t *testing.T) {
	for kind, want := range map[string]string{config.RedisStream: "XADD", config.NATS: "leat publish activity --broker.kind nats"} {
		var out bytes.Buffer
		cfg := config.Default()
		cfg.Broker.Kind = kind
		welcome(&out, cfg)
		require.Contains(t, out.String(), want)
		require.Equal(t, kind == config.RedisStream, bytes.Contains(out.Bytes(), []byte("XADD")))
	}
}
