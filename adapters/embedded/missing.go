//go:build noembedded

// Package embedded is left out of this build.
package embedded

import "errors"

// Available reports whether this build has an embedded Redis and store.
const Available = false

// Redis is left out of this build.
type Redis struct{}

// StartRedis reports that this build has no embedded Redis.
func StartRedis(string) (*Redis, error) {
	return nil, errors.New("this build has no embedded Redis and store (it was made with -tags noembedded): set redis.addr and store.uri")
}

// Addr is never reached.
func (*Redis) Addr() string { return "" }

// Close is never reached.
func (*Redis) Close() {}
