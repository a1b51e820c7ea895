package sql

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// logs is a log that may be read while it is written.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Who cannot raise the stock offset still takes over what the dead have left, and says what is wrong.
func TestKeepWithoutStockOffsets(t *testing.T) {
	t.Parallel()
	cfg, topic := quick(server(t)), rand.Text()
	cfg.Lease = 600 * time.Millisecond
	var log logs
	b, err := Connect(context.Background(), cfg, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	dead := newSourceFor(t, b, topic)
	require.NoError(t, b.Publisher().Publish(topic, samples(1)...))
	b.settled(t, topic)
	items, err := dead.claimNew(context.Background(), 10)
	require.NoError(t, err)
	require.Len(t, items, 1)
	messages := b.subscribe(t, "g", topic)
	require.NoError(t, execute(cfg.URI, "DROP TABLE "+offsetsTable(topic)))
	receive(t, messages).Ack()
	require.Contains(t, log.String(), "keep what is held")
}
