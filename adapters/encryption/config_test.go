package encryption

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"leat/handlers/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keyPair writes a certificate that signs itself, and its key.
func keyPair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return file(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		file(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	require.NoError(t, os.WriteFile(name, content, 0o600))
	return name
}

func TestClient(t *testing.T) {
	cert, key := keyPair(t)
	config, err := Config{}.Client("redis.tls")
	require.NoError(t, err)
	require.Nil(t, config)

	config, err = Config{Enabled: true}.Client("redis.tls")
	require.NoError(t, err)
	require.Equal(t, uint16(tls.VersionTLS12), config.MinVersion)
	require.Nil(t, config.RootCAs, "the system's authorities")
	require.Empty(t, config.Certificates)
	require.False(t, config.InsecureSkipVerify)

	config, err = Config{Enabled: true, CAFile: cert, CertFile: cert, KeyFile: key, ServerName: "redis"}.Client("redis.tls")
	require.NoError(t, err)
	require.Equal(t, "redis", config.ServerName)
	require.Len(t, config.Certificates, 1)
	pool := x509.NewCertPool()
	text, err := os.ReadFile(cert)
	require.NoError(t, err)
	require.True(t, pool.AppendCertsFromPEM(text))
	require.True(t, pool.Equal(config.RootCAs))
}

// What cannot be used is named by its key, and by its file.
func TestRefused(t *testing.T) {
	cert, key := keyPair(t)
	_, other := keyPair(t)
	empty, text := file(t, nil), file(t, []byte("no PEM"))
	for name, test := range map[string]struct {
		config Config
		says   []string
	}{
		"not enabled, authorities":   {Config{CAFile: cert}, []string{"redis.tls.enabled is false"}},
		"not enabled, certificate":   {Config{CertFile: cert, KeyFile: key}, []string{"redis.tls.enabled is false"}},
		"not enabled, name":          {Config{ServerName: "redis"}, []string{"redis.tls.enabled is false"}},
		"a certificate alone":        {Config{Enabled: true, CertFile: cert}, []string{"redis.tls.cert_file and key_file"}},
		"a key alone":                {Config{Enabled: true, KeyFile: key}, []string{"redis.tls.cert_file and key_file"}},
		"both":                       {Config{KeyFile: key}, []string{"redis.tls.enabled is false", "redis.tls.cert_file and key_file"}},
		"no such authorities":        {Config{Enabled: true, CAFile: "nowhere.pem"}, []string{"redis.tls.ca_file", "nowhere.pem"}},
		"an empty file":              {Config{Enabled: true, CAFile: empty}, []string{"redis.tls.ca_file", empty}},
		"authorities without PEM":    {Config{Enabled: true, CAFile: text}, []string{"redis.tls.ca_file", text}},
		"authorities that are a key": {Config{Enabled: true, CAFile: key}, []string{"redis.tls.ca_file", key}},
		"no such certificate":        {Config{Enabled: true, CertFile: "nowhere.pem", KeyFile: key}, []string{"redis.tls.cert_file", "nowhere.pem"}},
		"no such key":                {Config{Enabled: true, CertFile: cert, KeyFile: "nowhere.key"}, []string{"key_file nowhere.key"}},
		"the key of somebody else":   {Config{Enabled: true, CertFile: cert, KeyFile: other}, []string{"redis.tls.cert_file", other}},
		"a key for the certificate":  {Config{Enabled: true, CertFile: key, KeyFile: cert}, []string{"redis.tls.cert_file"}},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := test.config.Client("redis.tls")
			require.Nil(t, config)
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			for _, says := range test.says {
				require.ErrorContains(t, err, says)
			}
			require.NotContains(t, err.Error(), "PRIVATE KEY")
			require.Zero(t, strings.Count(err.Error(), "\n"))
		})
	}
}
