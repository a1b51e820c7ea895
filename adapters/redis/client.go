package redis

import (
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/handlers/fault"
)

// stateAge bounds how long a cluster's client goes on asking a master that is gone: what replaced it is not told by
// anybody who still answers. The library's own default is a minute.
const stateAge = time.Second

// NewClient returns a client that connects when it is first used: a *redis.ClusterClient in mode cluster, else a
// *redis.Client, which in mode sentinel finds the master anew with each connection. Whoever calls it closes it. Errors are
// of kind Invalid and name the keys: values that contradict each other, and files of TLS that cannot be used.
func NewClient(config Config) (redis.UniversalClient, error) {
	var problems []string
	config.Validate(func(key, problem string) { problems = append(problems, "redis."+key+" "+problem) })
	if config.Addr == "" {
		problems = append(problems, "redis.addr is not set")
	}
	if len(problems) > 0 {
		return nil, fault.Invalidf("redis_config", "%s", strings.Join(problems, "; "))
	}
	options, err := config.options()
	if err != nil {
		return nil, err
	}
	switch config.Mode {
	case Standalone, "":
		return redis.NewClient(options.Simple()), nil
	case Sentinel:
		return redis.NewFailoverClient(options.Failover()), nil
	case Cluster:
		cluster := options.Cluster()
		cluster.ClusterStateReloadInterval = stateAge
		return redis.NewClusterClient(cluster), nil
	default:
		return nil, fault.Invalidf("redis_config", "redis.mode is %q, and not standalone, sentinel or cluster", config.Mode)
	}
}

func (c Config) options() (*redis.UniversalOptions, error) {
	secure, err := c.TLS.Client("redis.tls")
	if err != nil {
		return nil, err
	}
	return &redis.UniversalOptions{
		Addrs: c.addrs(), Username: c.Username, Password: c.Password, DB: c.DB,
		MasterName: c.Master, SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword,
		TLSConfig:   secure,
		DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout,
		ContextTimeoutEnabled: true,
		PoolSize:              c.PoolSize,
		// Outages are waited out by those who know what may be repeated, not by the client. A cluster's client repeats what
		// was redirected, and it cannot do that without repeating what failed for other reasons too.
		MaxRetries: -1, DialerRetries: 1,
	}, nil
}
