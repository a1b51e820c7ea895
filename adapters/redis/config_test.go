package redis

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

// What a configuration may say, and which keys are named where it contradicts itself.
func TestConfig(t *testing.T) {
	for _, test := range []struct {
		config Config
		wrong  []string // keys; none: a client comes of it
	}{
		{config: Config{Addr: "127.0.0.1:6379"}},
		{config: Config{Mode: Standalone, Addr: "[::1]:6379", DB: 3, Username: "leat", Password: "hunter2"}},
		{config: Config{Mode: Sentinel, Addr: "a:26379, b:26379,c:26379", Master: "m", DB: 3, SentinelUsername: "s", SentinelPassword: "hunter2"}},
		{config: Config{Mode: Cluster, Addr: "a:6379,b:6379", Username: "leat", Password: "hunter2"}},
		{config: Config{Mode: Cluster, Addr: "a:6379", TLS: TLS{Enabled: true, ServerName: "redis"}}},

		{config: Config{}, wrong: []string{"addr"}},
		{config: Config{Mode: "pigeon", Addr: "a:6379"}, wrong: []string{"mode"}},
		{config: Config{Addr: "a:6379,b:6379"}, wrong: []string{"addr"}},
		{config: Config{Addr: "redis"}, wrong: []string{"addr"}},
		{config: Config{Addr: "redis:"}, wrong: []string{"addr"}},
		{config: Config{Mode: Cluster, Addr: "a:6379,,b:6379"}, wrong: []string{"addr"}},
		{config: Config{Addr: "rediss://leat:hunter2@redis:6379/3"}, wrong: []string{"addr"}},
		{config: Config{Mode: Cluster, Addr: "a:6379,redis://:hunter2@b:6379"}, wrong: []string{"addr"}},
		{config: Config{Addr: "a:6379", Master: "m"}, wrong: []string{"master"}},
		{config: Config{Mode: Cluster, Addr: "a:6379", Master: "m", DB: 3}, wrong: []string{"master", "db"}},
		{config: Config{Mode: Sentinel, Addr: "a:26379"}, wrong: []string{"master"}},
		{config: Config{Addr: "a:6379", SentinelUsername: "s", SentinelPassword: "hunter2"}, wrong: []string{"sentinel_username", "sentinel_password"}},
		{config: Config{Mode: Sentinel, Addr: "a:26379", Master: "m", SentinelUsername: "s"}, wrong: []string{"sentinel_username"}},
		{config: Config{Addr: "a:6379", Username: "leat"}, wrong: []string{"username"}},
		{config: Config{Addr: "a:6379", TLS: TLS{CAFile: "ca.pem"}}, wrong: []string{"tls.enabled"}},
		{config: Config{Addr: "a:6379", TLS: TLS{ServerName: "redis"}}, wrong: []string{"tls.enabled"}},
		{config: Config{Addr: "a:6379", TLS: TLS{Enabled: true, CertFile: "leat.pem"}}, wrong: []string{"tls.cert_file"}},
		{config: Config{Addr: "a:6379", TLS: TLS{Enabled: true, KeyFile: "leat.key"}}, wrong: []string{"tls.cert_file"}},
	} {
		t.Run(fmt.Sprintf("%+v", test.config), func(t *testing.T) {
			reported := map[string]bool{}
			test.config.Validate(func(key, problem string) {
				require.NotContains(t, problem, "hunter2")
				reported[key] = true
			})
			client, err := NewClient(test.config)
			if len(test.wrong) == 0 {
				require.NoError(t, err)
				require.Empty(t, reported)
				_, cluster := client.(*redis.ClusterClient)
				require.Equal(t, test.config.Mode == Cluster, cluster)
				require.NoError(t, client.Close())
				return
			}
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			require.Nil(t, client)
			require.NotContains(t, err.Error(), "hunter2")
			for _, key := range test.wrong {
				require.ErrorContains(t, err, "redis."+key+" ")
				if key != "mode" && test.config.Addr != "" { // a missing address is no error of its own, and the loader knows the modes
					require.True(t, reported[key], "%v", reported)
				}
			}
			require.LessOrEqual(t, len(reported), len(test.wrong), "%v", reported)
		})
	}
}

// Files of TLS that cannot be used are named, and the rest of what the error says stays readable.
func TestTLSFiles(t *testing.T) {
	authority := newAuthority(t)
	cert, key := authority.issue(t, "leat")
	_, other := authority.issue(t, "other")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for name, test := range map[string]struct {
		tls   TLS
		names []string
	}{
		"no such authorities":       {TLS{CAFile: "nowhere.pem"}, []string{"redis.tls.ca_file", "nowhere.pem"}},
		"no authorities in it":      {TLS{CAFile: empty}, []string{"redis.tls.ca_file", empty}},
		"no such certificate":       {TLS{CertFile: "nowhere.pem", KeyFile: key}, []string{"redis.tls.cert_file", "nowhere.pem"}},
		"no such key":               {TLS{CertFile: cert, KeyFile: "nowhere.key"}, []string{"redis.tls.key_file", "nowhere.key"}},
		"the key of somebody else":  {TLS{CertFile: cert, KeyFile: other}, []string{"redis.tls.cert_file", other}},
		"a key for the certificate": {TLS{CertFile: key, KeyFile: cert}, []string{"redis.tls.cert_file"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.tls.Enabled = true
			_, err := NewClient(Config{Addr: "a:6379", TLS: test.tls})
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			for _, text := range test.names {
				require.ErrorContains(t, err, text)
			}
			require.Less(t, strings.Count(err.Error(), "\n"), 1)
		})
	}
}
