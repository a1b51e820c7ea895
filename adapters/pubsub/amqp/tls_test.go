package amqp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/adapters/encryption"
)

// keyPair makes files of a certificate that signs itself, and of its key.
func keyPair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return file(t, "CERTIFICATE", der), file(t, "PRIVATE KEY", secret)
}

// A server with TLS, whose certificate a file vouches for. The client shows its own.
func TestTLS(t *testing.T) {
	topic := unique(t, "g")
	maker := httptest.NewTLSServer(nil) // makes a certificate of 127.0.0.1
	maker.Close()
	pair := maker.TLS.Certificates[0]
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert})
	require.NoError(t, err)
	plain := startRelayOn(t, listener)

	config := quick(plain.addr)
	config.URI = "amqps://guest:guest@" + plain.addr + "/"
	config.TLS = encryption.Config{Enabled: true, CAFile: file(t, "CERTIFICATE", maker.Certificate().Raw), CertFile: "testdata/none", KeyFile: "testdata/none"}
	require.ErrorContains(t, refusal(t, config), "broker.amqp.tls.cert_file")
	config.TLS.CertFile, config.TLS.KeyFile = keyPair(t)
	backend := connect(t, config)
	messages := subscribe(t, open(t, backend, "g"), topic)
	publish(t, backend, topic, "1")
	receive(t, messages).Ack()
}

func file(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}
