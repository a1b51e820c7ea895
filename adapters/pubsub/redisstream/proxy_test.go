package redisstream

import (
	"net"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// startProxy puts a proxy before a server. Cut drops all its connections and refuses new ones, mend lets them in again.
func startProxy(t testing.TB, to string) (addr string, cut, mend func()) {
	proxy := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "redis", "127.0.0.1:0", to)
	require.NoError(t, proxy.Start())
	t.Cleanup(proxy.Stop)
	return proxy.Listen, proxy.Stop, func() { require.NoError(t, proxy.Start()) }
}

// deaf returns the address of a server that takes connections and says nothing.
func deaf(t testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}
