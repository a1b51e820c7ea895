//go:build !noembedded

package embedded

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOtherProgramsReachItAndKeysExpire(t *testing.T) {
	server, err := StartRedis("127.0.0.1:0")
	require.NoError(t, err)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	require.NoError(t, client.Set(t.Context(), "key", "value", time.Second).Err())
	require.Eventually(t, func() bool { return client.Exists(t.Context(), "key").Val() == 0 }, 10*time.Second, 50*time.Millisecond)
	require.NoError(t, client.Close())
	server.Close()
}

func TestATakenAddressSaysWhatToDo(t *testing.T) {
	server, err := StartRedis("127.0.0.1:0")
	require.NoError(t, err)
	defer server.Close()
	_, err = StartRedis(server.Addr())
	require.ErrorContains(t, err, "--embedded.redis_addr")
}
