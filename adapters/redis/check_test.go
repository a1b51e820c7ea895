package redis

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

// check runs Check as the program does at start, and returns what it logged and its error.
func check(t *testing.T, config Config) (log string, err error) {
	t.Helper()
	var lines bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = Check(ctx, open(t, config), slog.New(slog.NewTextHandler(&lines, nil)))
	return lines.String(), err
}

// requireRefused requires that Check fails with an error of the kind that holds the texts.
func requireRefused(t *testing.T, config Config, kind fault.Kind, texts ...string) {
	t.Helper()
	_, err := check(t, config)
	require.Error(t, err)
	require.Equal(t, kind, fault.KindOf(err), "%v", err)
	for _, text := range texts {
		require.ErrorContains(t, err, text)
	}
	require.NotContains(t, err.Error(), "hunter2")
}

// A check of a Redis that is in order says nothing, and leaves nothing in it.
func TestCheckPasses(t *testing.T) {
	for name, start := range setups {
		t.Run(name, func(t *testing.T) {
			config, admin := start(t)
			log, err := check(t, config)
			require.NoError(t, err)
			if name != "miniredis" { // which knows no CONFIG
				require.Empty(t, log)
			}
			count := int64(0)
			if cluster, ok := admin.(*redis.ClusterClient); ok {
				for _, addr := range cluster.Options().Addrs {
					count += connect(t, addr).DBSize(t.Context()).Val()
				}
			} else {
				count = admin.DBSize(t.Context()).Val()
			}
			require.Zero(t, count)
		})
	}
}

// A server that is set up in another way than redis.mode says.
func TestCheckOfMode(t *testing.T) {
	single, nodes, watched := startRedis(t), startCluster(t, 3), startReplicated(t)
	sentinel := strings.Split(watched.config.Addr, ",")[0]
	t.Run("a cluster, not expected", func(t *testing.T) {
		for _, node := range nodes {
			requireRefused(t, Config{Addr: node.addr}, fault.Invalid, "set redis.mode to cluster")
		}
	})
	t.Run("a cluster, not expected, where HELLO is not allowed", func(t *testing.T) {
		rules := append([]string{"-hello"}, leastPermissions...)
		for _, node := range nodes {
			config := allow(t, Config{Addr: node.addr}, slices.DeleteFunc(rules, func(rule string) bool { return rule == "+hello" }), node)
			requireRefused(t, config, fault.Invalid, "set redis.mode to cluster")
		}
	})
	t.Run("no cluster, where one is expected", func(t *testing.T) {
		requireRefused(t, Config{Mode: Cluster, Addr: single}, fault.Invalid, "set redis.mode to standalone")
	})
	t.Run("a sentinel, not expected", func(t *testing.T) {
		requireRefused(t, Config{Addr: sentinel, Password: "admin"}, fault.Invalid, "set redis.mode to sentinel")
	})
	t.Run("no sentinel, where one is expected", func(t *testing.T) {
		requireRefused(t, Config{Mode: Sentinel, Addr: single, Master: "boards"}, fault.Invalid, "does not lead to a sentinel")
	})
	t.Run("a sentinel that does not know the master", func(t *testing.T) {
		config := watched.config
		config.Master = "others"
		requireRefused(t, config, fault.Unavailable, "redis.master")
	})
	t.Run("no sentinel answers", func(t *testing.T) {
		requireRefused(t, Config{Mode: Sentinel, Addr: freeAddr(t), Master: "boards"}, fault.Unavailable, "refused")
	})
	t.Run("a replica", func(t *testing.T) {
		requireRefused(t, Config{Addr: watched.replica.addr}, fault.Unavailable, "replica")
	})
	t.Run("no node answers", func(t *testing.T) {
		requireRefused(t, Config{Mode: Cluster, Addr: freeAddr(t)}, fault.Unavailable, "refused")
	})
}

// Wrong credentials are told at once, with the keys to look at.
func TestCheckOfCredentials(t *testing.T) {
	locked, watched := startRedis(t, "--requirepass", "right"), startReplicated(t)
	nodes := startCluster(t, 3)
	for _, node := range nodes {
		require.NoError(t, connect(t, node.addr).ConfigSet(t.Context(), "requirepass", "right").Err())
	}
	guess := func(config Config) Config { config.Password = "hunter2"; return config }
	for name, config := range map[string]Config{
		"none":                      {Addr: locked},
		"wrong":                     guess(Config{Addr: locked}),
		"of an unknown user":        guess(Config{Addr: locked, Username: "leat"}),
		"none, for a cluster":       {Mode: Cluster, Addr: addrs(nodes)},
		"wrong, for a cluster":      guess(Config{Mode: Cluster, Addr: addrs(nodes)}),
		"wrong, behind a sentinel":  guess(Config{Mode: Sentinel, Addr: watched.config.Addr, Master: "boards", SentinelUsername: "leat", SentinelPassword: "watching", Username: "leat"}),
		"right, but not for a user": {Addr: locked, Username: "leat", Password: "right"},
	} {
		t.Run(name, func(t *testing.T) { requireRefused(t, config, fault.Invalid, "redis.username", "redis.password") })
	}
	for name, password := range map[string]string{"wrong, for a sentinel": "hunter2", "none, for a sentinel": ""} {
		t.Run(name, func(t *testing.T) {
			config := watched.config
			config.SentinelUsername, config.SentinelPassword = "", password
			requireRefused(t, config, fault.Invalid, "redis.sentinel_password")
		})
	}
	t.Run("a database that is not there", func(t *testing.T) {
		requireRefused(t, Config{Addr: startRedis(t), DB: 99}, fault.Invalid, "redis.db")
	})
}

// Each permission that is documented is needed: without it, Check names the command, or says what it cannot find out.
func TestCheckOfPermissions(t *testing.T) {
	s, nodes := startServer(t), startCluster(t, 3)
	without := func(rule string, rules []string) []string {
		return slices.DeleteFunc(slices.Clone(rules), func(r string) bool { return r == rule })
	}
	for _, rule := range leastPermissions {
		command, _ := strings.CutPrefix(rule, "+")
		t.Run(command, func(t *testing.T) {
			config := allow(t, Config{Addr: s.addr}, without(rule, leastPermissions), s)
			switch command {
			case "hello": // with an older protocol, the rest is as ever
				_, err := check(t, config)
				require.NoError(t, err)
			case "config|get":
				log, err := check(t, config)
				require.NoError(t, err)
				require.Contains(t, log, "make sure that it is noeviction")
			case "~leaderboard:*", "~leat:*":
				requireRefused(t, config, fault.Invalid, "one of the keys", "begin with leaderboard: and leat:")
			default:
				requireRefused(t, config, fault.Invalid, command)
			}
		})
	}
	for _, rule := range clusterPermissions {
		command, _ := strings.CutPrefix(rule, "+")
		t.Run(command, func(t *testing.T) {
			config := allow(t, Config{Mode: Cluster, Addr: addrs(nodes)}, append(without(rule, clusterPermissions), leastPermissions...), nodes...)
			if command == "cluster|info" {
				log, err := check(t, config)
				require.NoError(t, err)
				require.Contains(t, log, "state of the redis cluster cannot be read")
				return
			}
			requireRefused(t, config, fault.Invalid, command)
		})
	}
}

// What the certificates do not allow is told at once.
func TestCheckOfTLS(t *testing.T) {
	config := startEncrypted(t)
	stranger := newAuthority(t)
	cert, key := stranger.issue(t, "stranger")
	for name, change := range map[string]func(*Config){
		"an authority that did not sign": func(c *Config) { c.TLS.CAFile = stranger.file },
		"the system's authorities":       func(c *Config) { c.TLS.CAFile = "" },
		"another name":                   func(c *Config) { c.TLS.ServerName = "elsewhere" },
		"no certificate of the client":   func(c *Config) { c.TLS.CertFile, c.TLS.KeyFile = "", "" },
		"a certificate of a stranger":    func(c *Config) { c.TLS.CertFile, c.TLS.KeyFile = cert, key },
	} {
		t.Run(name, func(t *testing.T) {
			config := config
			change(&config)
			requireRefused(t, config, fault.Invalid, "redis.tls")
		})
	}
	t.Run("a server without TLS", func(t *testing.T) { // which waits for the end of a line
		config := config
		config.Addr, config.Timeout = startRedis(t), 300*time.Millisecond
		requireRefused(t, config, fault.Unavailable, "redis.tls.enabled")
	})
	t.Run("not asked for", func(t *testing.T) {
		requireRefused(t, Config{Addr: config.Addr}, fault.Unavailable, "redis.tls.enabled")
	})
	t.Run("under the server's other name", func(t *testing.T) {
		config := config
		config.TLS.ServerName = "server"
		_, err := check(t, config)
		require.NoError(t, err)
	})
}

// Every master of a cluster is asked.
func TestCheckOfCluster(t *testing.T) {
	nodes := startCluster(t, 3)
	config := Config{Mode: Cluster, Addr: nodes[0].addr} // the others are found
	for _, node := range nodes {
		require.NoError(t, connect(t, node.addr).ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
		requireRefused(t, config, fault.Invalid, "allkeys-lru", "noeviction")
		require.NoError(t, connect(t, node.addr).ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	}
	_, err := check(t, config)
	require.NoError(t, err)

	first := connect(t, nodes[0].addr)
	require.NoError(t, first.ClusterDelSlots(t.Context(), 1).Err())
	until(t, 20*time.Second, "the cluster is out of order", func() bool {
		return strings.Contains(first.ClusterInfo(t.Context()).Val(), "cluster_state:fail")
	})
	requireRefused(t, config, fault.Unavailable, "cluster_state")
	require.NoError(t, first.ClusterAddSlots(t.Context(), 1).Err())
	inOrder(t, nodes, nodes)

	nodes[2].kill()
	requireRefused(t, config, fault.Unavailable)
}

func TestCheckOfEviction(t *testing.T) {
	requireRefused(t, Config{Addr: startRedis(t, "--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl")}, fault.Invalid, "volatile-ttl", "noeviction")
}
