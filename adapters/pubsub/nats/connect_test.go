package nats

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"leat/adapters/encryption"
	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

const secret = "hunter2"

// guarded starts a server that asks for a password, and lets limited see no streams.
func guarded(t testing.TB) *server.Server {
	return embedded(t, func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "leat", Password: secret},
			{Username: "limited", Password: secret, Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{"$JS.API.INFO"}},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
			}},
			{Username: "nobody", Password: secret, Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{"events"}},
				Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
			}},
		}
	})
}

// requireRefused checks an error that only a person can mend.
func requireRefused(t *testing.T, err error, code, says string) {
	t.Helper()
	require.ErrorContains(t, err, says)
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	require.Equal(t, code, fault.Of(err).Code, "%v", err)
	require.NotContains(t, err.Error(), secret)
}

func TestConnectRefused(t *testing.T) {
	address := guarded(t).ClientURL()
	for name, test := range map[string]struct {
		code, says string
		change     func(c *Config)
	}{
		"wrong password":  {"credentials", "broker.nats.user", func(c *Config) { c.User, c.Password = "leat", secret+"x" }},
		"no user":         {"credentials", "broker.nats.user", func(*Config) {}},
		"wrong token":     {"credentials", "broker.nats.user", func(c *Config) { c.Token = secret }},
		"no permission":   {"permission", "$JS.API.>", func(c *Config) { c.User, c.Password = "nobody", secret }},
		"no TLS":          {"tls", "broker.nats.tls", func(c *Config) { c.TLS.Enabled = true }},
		"no creds file":   {"credentials", "creds_file", func(c *Config) { c.CredsFile = "/nowhere" }},
		"no NKey file":    {"credentials", "nkey_file", func(c *Config) { c.NKeyFile = "/nowhere" }},
		"no CA file":      {"tls", "ca_file", func(c *Config) { c.TLS.Enabled, c.TLS.CAFile = true, "/nowhere" }},
		"password in URL": {"config", "must not hold credentials", func(c *Config) { c.URLs = []string{"nats://leat:" + secret + "@127.0.0.1"} }},
		"no address":      {"config", "is no address", func(c *Config) { c.URLs = []string{"nats://"} }},
		"another scheme":  {"config", "scheme", func(c *Config) { c.URLs = []string{"http://127.0.0.1"} }},
		"two ways":        {"config", "only one", func(c *Config) { c.User, c.Token = "leat", secret }},
		"few pending":     {"config", "max_ack_pending", func(c *Config) { c.MaxAckPending = 1 }},
		"TLS not enabled": {"tls", "broker.nats.tls.enabled", func(c *Config) { c.TLS.CAFile = "x" }},
	} {
		t.Run(name, func(t *testing.T) {
			config := quick(address)
			test.change(&config)
			begun := time.Now()
			_, err := Connect(t.Context(), config, nil)
			requireRefused(t, err, test.code, test.says)
			require.Less(t, time.Since(begun), config.Timeout+2*time.Second)
		})
	}
}

func TestConnectWithPassword(t *testing.T) {
	config := quick(guarded(t).ClientURL())
	config.User, config.Password = "leat", secret
	backend := dial(t, config)
	require.NoError(t, backend.Ping(t.Context()))
}

// A user who may connect, but not read, learns it at once from Subscribe; publishing is retried, as the message is not to blame.
func TestPermissionMissing(t *testing.T) {
	config := quick(guarded(t).ClientURL())
	config.User, config.Password, config.Timeout = "limited", secret, time.Second
	broker := join(t, dial(t, config), "g")
	_, err := broker.Subscriber.Subscribe(t.Context(), "events")
	requireRefused(t, err, "permission", "$JS.API.>")
	err = broker.Publisher.PublishFields(t.Context(), "events", []pubsub.Field{{Name: "a", Value: "b"}})
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
}

func TestConnectWithoutJetStream(t *testing.T) {
	s := embedded(t, func(o *server.Options) { o.JetStream = false })
	_, err := Connect(t.Context(), quick(s.ClientURL()), nil)
	requireRefused(t, err, "jetstream", "start the server with JetStream")
}

func TestConnectUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	_, err = Connect(t.Context(), quick("nats://"+listener.Addr().String()), nil)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, listener.Addr().String())
}

// A server that takes connections and says nothing does not hold up who gives up.
func TestConnectCanceled(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	config := quick("nats://" + listener.Addr().String())
	config.Timeout = 500 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Connect(ctx, config, nil)
	require.Equal(t, fault.Canceled, fault.KindOf(err), "%v", err)
	_, err = Connect(t.Context(), config, nil)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
}

func TestTLS(t *testing.T) {
	certificate, file := selfSigned(t)
	s := embedded(t, func(o *server.Options) {
		o.TLS, o.TLSConfig = true, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	})
	address := strings.Replace(s.ClientURL(), "tls://", "nats://", 1)
	config := quick(address)
	config.TLS.Enabled, config.TLS.CAFile = true, file
	require.NoError(t, dial(t, config).Ping(t.Context()))

	config.TLS.CAFile = ""
	_, err := Connect(t.Context(), config, nil)
	requireRefused(t, err, "tls", "broker.nats.tls")

	config.TLS = encryption.Config{Enabled: true, CAFile: file, ServerName: "elsewhere"}
	_, err = Connect(t.Context(), config, nil)
	requireRefused(t, err, "tls", "elsewhere")
}

// selfSigned makes a certificate for 127.0.0.1, and a file with it.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
