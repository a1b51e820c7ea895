package redis

import (
	"net"
	"strings"
	"time"

	"leat/adapters/encryption"
)

// The ways in which a Redis is set up.
const (
	Standalone = "standalone" // one server, or a service that looks like one
	Sentinel   = "sentinel"   // a master and its replicas, found through sentinels
	Cluster    = "cluster"    // keys lie on several masters
)

// Config says where Redis is. An empty mode is Standalone.
type Config struct {
	Mode             string            `config:"mode" default:"standalone" oneof:"standalone|sentinel|cluster" doc:"how Redis is set up"`
	Addr             string            `config:"addr" env:"REDIS_ADDR" secret:"address" doc:"address of Redis, host:port; in the modes sentinel and cluster of one or more sentinels or nodes, with commas between; empty only with --embedded"`
	Username         string            `config:"username" doc:"ACL user; empty is the default user"`
	Password         string            `config:"password" env:"REDIS_PASSWORD" secret:"true" doc:"password of the user"`
	DB               int               `config:"db" default:"0" min:"0" doc:"number of the database; a cluster has only 0"`
	Master           string            `config:"master" doc:"mode sentinel: name that the sentinels know the master by"`
	SentinelUsername string            `config:"sentinel_username" doc:"mode sentinel: ACL user on the sentinels"`
	SentinelPassword string            `config:"sentinel_password" secret:"true" doc:"mode sentinel: password on the sentinels"`
	TLS              encryption.Config `config:"tls" doc:"encrypted connections to Redis, and to its sentinels"`
	Timeout          time.Duration     `config:"timeout" default:"5s" min:"10ms" doc:"how long to connect and to wait for one answer"`
	PoolSize         int               `config:"pool_size" default:"20" min:"2" max:"10000" doc:"most connections at the same time, to each server"`
}

// Validate reports what contradicts itself, under keys relative to the section. Addresses and passwords are not repeated.
func (c Config) Validate(report func(key, problem string)) {
	c.validateAddr(report)
	sentinel := c.Mode == Sentinel
	if sentinel && c.Master == "" {
		report("master", "must name the master that the sentinels watch, as redis.mode is sentinel")
	}
	for key, set := range map[string]bool{
		"master": c.Master != "", "sentinel_username": c.SentinelUsername != "", "sentinel_password": c.SentinelPassword != "",
	} {
		if set && !sentinel {
			report(key, "is for redis.mode sentinel only")
		}
	}
	if c.Mode == Cluster && c.DB != 0 {
		report("db", "must be 0, as redis.mode is cluster: a cluster has no other database")
	}
	if c.Username != "" && c.Password == "" {
		report("username", "needs redis.password (REDIS_PASSWORD): without one, Redis is used as its default user")
	}
	if c.SentinelUsername != "" && c.SentinelPassword == "" {
		report("sentinel_username", "needs redis.sentinel_password")
	}
}

func (c Config) validateAddr(report func(key, problem string)) {
	if c.Addr == "" {
		return
	}
	if strings.Contains(c.Addr, "://") {
		report("addr", "must be host:port, and not a URL: its other parts are redis.username, redis.password, redis.db and redis.tls.enabled")
		return
	}
	addrs := c.addrs()
	if len(addrs) > 1 && c.Mode != Sentinel && c.Mode != Cluster {
		report("addr", "lists several servers: set redis.mode to sentinel or cluster, or keep one address")
	}
	for _, addr := range addrs {
		if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
			report("addr", "must be host:port, such as 127.0.0.1:6379 or [::1]:6379; in the modes sentinel and cluster several, with commas between")
			return
		}
	}
}

func (c Config) addrs() []string {
	addrs := strings.Split(c.Addr, ",")
	for n := range addrs {
		addrs[n] = strings.TrimSpace(addrs[n])
	}
	return addrs
}
