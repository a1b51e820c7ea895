package redisstream

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func cpu() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func redisCPU(pid int) time.Duration {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	var n int64
	fmt.Sscan(string(b), &n)
	return time.Duration(n)
}
func envInt(name string, def int) int {
	if v, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return v
	}
	return def
}

func TestTune(t *testing.T) {
	if os.Getenv("TUNE") == "" {
		t.Skip()
	}
	const n = 200_000
	s := startRedis(t, "--appendonly", "no")
	client := connect(t, s.addr)
	fill(t, client, "s", n)
	for i := range envInt("ROUNDS", 3) {
		c, r := cpu(), redisCPU(s.cmd.Process.Pid)
		client.XGroupDestroy(context.Background(), "s", "bare")
		bare := bareLoop(t, client, "s", n)
		t.Logf("bare %7.0f/s cpu %.2fus redis %.2fus", n/bare.Seconds(), float64((cpu()-c).Microseconds())/n, float64((redisCPU(s.cmd.Process.Pid)-r).Microseconds())/n)
		c, r = cpu(), redisCPU(s.cmd.Process.Pid)
		subscriber, err := NewSubscriber(Options{
			Config: Config{
				Consumer: "c", InFlight: envInt("INFLIGHT", 2000), Count: envInt("COUNT", 500), Block: time.Second, Claim: Claim{MinIdle: 30 * time.Second},
				Nack: Nack{Delay: time.Second, MaxDelay: time.Minute}, MaxDeliveries: 10, Lease: 5 * time.Second,
			},
			Group: fmt.Sprint("ours", i), Client: client, CloseTimeout: 10 * time.Second,
		})
		require.NoError(t, err)
		ours := route(t, subscriber, "s", n)
		require.NoError(t, subscriber.Close())
		t.Logf("ours %7.0f/s cpu %.2fus redis %.2fus ratio %.2f", n/ours.Seconds(), float64((cpu()-c).Microseconds())/n, float64((redisCPU(s.cmd.Process.Pid)-r).Microseconds())/n, float64(bare)/float64(ours))
	}
}
