package redis

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/adapters/encryption"
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
		{config: Config{Mode: Cluster, Addr: "a:6379", TLS: encryption.Config{Enabled: true, ServerName: "redis"}}},

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
		{config: Config{Addr: "a:6379", TLS: encryption.Config{CAFile: "ca.pem"}}, wrong: []string{"tls.enabled"}},
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
				// A missing address is no error of its own, the loader knows the modes, and asks the section tls itself.
				if key != "mode" && key != "tls.enabled" && test.config.Addr != "" {
					require.True(t, reported[key], "%v", reported)
				}
			}
			require.LessOrEqual(t, len(reported), len(test.wrong), "%v", reported)
		})
	}
}
