package redis

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/adapters/encryption"
)

// silence drops what go-redis logs: servers that are down are part of these tests.
type silence struct{}

// Printf implements the logger of go-redis.
func (silence) Printf(context.Context, string, ...any) {}

// startCluster starts masters that share all slots evenly.
func startCluster(t testing.TB, masters int) []*server {
	t.Helper()
	nodes := startNodes(t, masters)
	for n, node := range nodes {
		admin := connect(t, node.addr)
		require.NoError(t, admin.ClusterAddSlotsRange(t.Context(), n*16384/masters, (n+1)*16384/masters-1).Err())
	}
	inOrder(t, nodes, nodes)
	patience(t, nodes, time.Minute)
	return nodes
}

// patience sets how long the nodes wait before they take one of them for gone. It is short while they get to know each other,
// which it slows down, and where one goes; otherwise a machine that is busy must not look like a node that is gone.
func patience(t testing.TB, nodes []*server, time time.Duration) {
	t.Helper()
	for _, node := range nodes {
		require.NoError(t, connect(t, node.addr).ConfigSet(t.Context(), "cluster-node-timeout", fmt.Sprint(time.Milliseconds())).Err())
	}
}

// startNodes starts servers in cluster mode that know each other, and own nothing.
func startNodes(t testing.TB, count int) []*server {
	t.Helper()
	nodes, buses := make([]*server, count), make([]string, count)
	for n := range nodes {
		buses[n] = port(t, freeAddr(t)) // the default lies 10000 above the port, which may be too high
		nodes[n] = startServer(t, "--cluster-enabled", "yes", "--cluster-port", buses[n], "--cluster-node-timeout", "1000")
		require.NoError(t, connect(t, nodes[n].addr).Do(t.Context(), "cluster", "set-config-epoch", n+1).Err())
	}
	for n := range nodes[1:] {
		require.NoError(t, connect(t, nodes[n+1].addr).Do(t.Context(), "cluster", "meet", "127.0.0.1", port(t, nodes[0].addr), buses[0]).Err())
	}
	until(t, 20*time.Second, "the nodes know each other", func() bool {
		for _, node := range nodes {
			if !strings.Contains(connect(t, node.addr).ClusterInfo(t.Context()).Val(), fmt.Sprintf("cluster_known_nodes:%d\r", count)) {
				return false
			}
		}
		return true
	})
	return nodes
}

// inOrder waits until each of the nodes sees all slots served, and each of the masters in its place.
func inOrder(t testing.TB, nodes, masters []*server) {
	t.Helper()
	for _, node := range nodes {
		client := connect(t, node.addr)
		until(t, 20*time.Second, "the cluster is in order", func() bool {
			shown := map[string]bool{}
			for _, shard := range client.ClusterShards(t.Context()).Val() {
				for _, each := range shard.Nodes {
					if each.Role == "master" && len(shard.Slots) > 0 {
						shown[each.ID] = true
					}
				}
			}
			return len(shown) == len(masters) && strings.Contains(client.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
		})
	}
}

func addrs(nodes []*server) string {
	list := make([]string, len(nodes))
	for n, node := range nodes {
		list[n] = node.addr
	}
	return strings.Join(list, ", ")
}

// replicated is a master with a replica and a sentinel, where leat may do no more than it must.
type replicated struct {
	config          Config
	master, replica *server
	sentinel        string
}

func startReplicated(t testing.TB) replicated {
	t.Helper()
	master := startServer(t)
	replica := startServer(t, "--replicaof", "127.0.0.1 "+port(t, master.addr))
	follows(t, replica)
	addr, dir := freeAddr(t), t.TempDir()
	file := filepath.Join(dir, "sentinel.conf")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join([]string{
		"port " + port(t, addr), "bind 127.0.0.1", "dir " + dir, "requirepass admin",
		"user leat on >watching " + strings.Join(sentinelPermissions, " "),
		"sentinel monitor boards 127.0.0.1 " + port(t, master.addr) + " 1",
		"sentinel down-after-milliseconds boards 60000", "sentinel failover-timeout boards 3000", "",
	}, "\n")), 0o600))
	launch(t, addr, file, "--sentinel")
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr, Password: "admin"})
	defer sentinel.Close()
	until(t, 20*time.Second, "the sentinel knows the replica", func() bool {
		replicas, err := sentinel.Replicas(t.Context(), "boards").Result()
		return err == nil && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok" && replicas[0]["flags"] == "slave"
	})
	return replicated{
		config: Config{Mode: Sentinel, Addr: addr + "," + freeAddr(t), Master: "boards", SentinelUsername: "leat", SentinelPassword: "watching"},
		master: master, replica: replica, sentinel: addr,
	}
}

// failOver kills the master and waits until the replica has taken its place. Until then the sentinel is patient, so that a
// machine that is busy does not look like a master that is gone.
func (r replicated) failOver(t testing.TB) {
	t.Helper()
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: r.sentinel, Password: "admin"})
	defer sentinel.Close()
	require.NoError(t, sentinel.Set(t.Context(), "boards", "down-after-milliseconds", "500").Err())
	r.master.kill()
	promoted(t, r.replica)
}

// promoted waits until a replica has become the master.
func promoted(t testing.TB, replica *server) {
	t.Helper()
	client := connect(t, replica.addr)
	until(t, 60*time.Second, "the replica is master", func() bool {
		return strings.Contains(client.Info(t.Context(), "replication").Val(), "role:master")
	})
}

// follows waits until a replica has what its master has.
func follows(t testing.TB, replica *server) {
	t.Helper()
	client := connect(t, replica.addr)
	until(t, 20*time.Second, "the replica follows", func() bool {
		return strings.Contains(client.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
}

// startEncrypted starts a server that speaks TLS only and asks for a certificate.
func startEncrypted(t testing.TB) Config {
	t.Helper()
	keys := newAuthority(t)
	cert, key := keys.issue(t, "server", net.ParseIP("127.0.0.1"))
	addr := freeAddr(t)
	launch(t, addr, "--bind", "127.0.0.1", "--port", "0", "--tls-port", port(t, addr), "--dir", t.TempDir(), "--save", "",
		"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", keys.file, "--tls-auth-clients", "yes")
	cert, key = keys.issue(t, "leat")
	return Config{Addr: addr, TLS: encryption.Config{Enabled: true, CAFile: keys.file, CertFile: cert, KeyFile: key}}
}

// leastPermissions is what the user of leaderboards needs, and no more, as ACL rules.
var leastPermissions = []string{
	"~leaderboard:*", "~leat:*", "+ping", "+hello", "+config|get",
	"+eval", "+evalsha", "+time", "+type", "+hget", "+hset", "+hdel", "+hgetall", "+hmget", "+pexpire", "+pexpireat",
	"+zadd", "+zincrby", "+zmscore", "+zremrangebyscore", "+zrevrange", "+zrangebyscore", "+zscore", "+zcount",
}

// clusterPermissions is what a cluster's client needs besides.
var clusterPermissions = []string{"+cluster|slots", "+cluster|info", "+asking"}

// sentinelPermissions is what the user needs on the sentinels.
var sentinelPermissions = []string{"&+switch-master", "&+replica-reconf-done", "+hello", "+ping", "+subscribe", "+sentinel|get-master-addr-by-name", "+sentinel|sentinels"}

// allow makes a user on each of the servers, whose password is "secret", and returns a configuration that uses it.
func allow(t testing.TB, config Config, rules []string, servers ...*server) Config {
	t.Helper()
	for _, s := range servers {
		admin := connect(t, s.addr)
		args := []any{"acl", "setuser", "leat", "reset", "on", ">secret"}
		for _, rule := range rules {
			args = append(args, rule)
		}
		require.NoError(t, admin.Do(t.Context(), args...).Err())
	}
	config.Username, config.Password = "leat", "secret"
	return config
}
