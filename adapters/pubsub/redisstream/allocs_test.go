package redisstream

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAllocationsPerMessage bounds what a message costs on its way through the subscriber and a router, the
// router's own share (about 17) included.
func TestAllocationsPerMessage(t *testing.T) {
	const n = 20_000
	client := connect(t, startRedis(t, "--appendonly", "no").addr)
	fill(t, client, "s", n)
	options := quick(client)
	options.InFlight, options.Count = 2000, 500
	subscriber, err := newSubscriber(options)
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	route(t, subscriber, "s", n)
	runtime.ReadMemStats(&after)
	each := float64(after.Mallocs-before.Mallocs) / n
	t.Logf("%.1f allocations, %d bytes a message", each, (after.TotalAlloc-before.TotalAlloc)/n)
	require.Less(t, each, 30.0)
}
