package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leat/adapters/encryption"
	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

const secret = "correct horse"

// refusedAt connects, and returns the error, which must come within so long.
func refusedAt(t *testing.T, within time.Duration, config Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	backend, err := Connect(ctx, config, nil)
	if err == nil {
		_ = backend.Close()
	}
	require.Error(t, err)
	require.NoError(t, ctx.Err(), "it came at once: %v", err)
	require.NotContains(t, err.Error(), secret)
	return err
}

func TestUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	err = refusedAt(t, 5*time.Second, quick([]string{address}))
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.ErrorContains(t, err, address)
}

// A server that accepts and never answers holds nobody up for longer than the timeout.
func TestSilentServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	config := quick([]string{listener.Addr().String()})
	config.Timeout = time.Second
	require.Equal(t, fault.Unavailable, fault.KindOf(refusedAt(t, 5*time.Second, config)))
}

func TestCredentials(t *testing.T) {
	c := fake(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "admin", secret),
		kfake.Superuser("SCRAM-SHA-256", "admin", secret), kfake.Superuser("SCRAM-SHA-512", "admin", secret))
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		config := quick(c.ListenAddrs())
		config.SASL = SASL{mechanism, "admin", secret}
		require.NoError(t, dial(t, config).Ping(context.Background()), mechanism)

		for _, sasl := range []SASL{{mechanism, "admin", "wrong " + secret}, {mechanism, "nobody", secret}} {
			config.SASL = sasl
			err := refusedAt(t, 5*time.Second, config)
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%s as %s: %v", mechanism, sasl.User, err)
			require.ErrorContains(t, err, "broker.kafka.sasl")
		}
	}
	config := quick(c.ListenAddrs())
	config.Timeout = 2 * time.Second
	require.ErrorContains(t, refusedAt(t, 5*time.Second, config), "sasl", "without credentials the broker hangs up, and the error says why")
}

func TestSettings(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"brokers":                  func(c *Config) { c.Brokers = nil },
		"mechanism":                func(c *Config) { c.SASL.Mechanism = "md5" },
		"sasl.user":                func(c *Config) { c.SASL.Mechanism = "plain" },
		"tls.ca_file":              func(c *Config) { c.TLS = encryption.Config{Enabled: true, CAFile: filepath.Join(t.TempDir(), "none")} },
		"tls.cert_file":            func(c *Config) { c.TLS = encryption.Config{Enabled: true, CertFile: "none", KeyFile: "none"} },
		"check broker.kafka":       func(c *Config) { c.MaxMessageBytes = 1 },
		"holds no certificate":     func(c *Config) { c.TLS = encryption.Config{Enabled: true, CAFile: "failure_test.go"} },
		"set broker.kafka.brokers": func(c *Config) { c.Brokers = []string{} },
	} {
		config := quick([]string{"127.0.0.1:1"})
		change(&config)
		err := refusedAt(t, 5*time.Second, config)
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
		require.ErrorContains(t, err, name)
	}
}

func TestTLS(t *testing.T) {
	certificate, file := certify(t)
	c := fake(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}))
	config := quick(c.ListenAddrs())
	config.TLS = encryption.Config{Enabled: true, CAFile: file}
	require.NoError(t, dial(t, config).Ping(context.Background()))

	config.TLS.CAFile = ""
	err := refusedAt(t, 5*time.Second, config)
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "broker.kafka.tls.ca_file")
}

// certify makes a certificate for 127.0.0.1 that signs itself, and writes it to a file.
func certify(t *testing.T) (tls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// What a user may not do is found at the subscription, and says what to allow.
func TestPermissions(t *testing.T) {
	topic := func(name string, operation kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
	}
	c := fake(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.SeedTopics(1, "there"),
		kfake.User("PLAIN", "reader", secret, topic("there", kmsg.ACLOperationDescribe), topic("absent", kmsg.ACLOperationDescribe)))
	config := quick(c.ListenAddrs())
	config.SASL = SASL{"plain", "reader", secret}
	subscriber := join(t, dial(t, config), "g").Subscriber
	for topic, hint := range map[string]string{"there": "the consumer group", "absent": "CREATE", "hidden": "DESCRIBE"} {
		_, err := subscriber.Subscribe(context.Background(), topic)
		require.Equal(t, fault.Invalid, fault.KindOf(err), "%s: %v", topic, err)
		require.ErrorContains(t, err, hint)
	}
}

func TestTooLarge(t *testing.T) {
	c := fake(t, kfake.SeedTopics(1, "small"), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "2000"}))
	publisher := dial(t, quick(c.ListenAddrs())).Publisher()
	noise := make([]byte, 4000)
	_, _ = rand.Read(noise)
	err := publisher.Publish("small", message.NewMessage("uuid", noise))
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "max.message.bytes of the topic")
	err = publisher.Publish("small", message.NewMessage("uuid", make([]byte, 1<<20)))
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "exceeds broker.kafka.max_message_bytes, 1048576")
}

func TestPublisherEnds(t *testing.T) {
	backend := dial(t, quick(cluster(t)))
	one, two := backend.Publisher(), backend.Publisher()
	require.NoError(t, one.Close())
	require.Equal(t, fault.Canceled, fault.KindOf(one.Publish("t-ends", message.NewMessage("", nil))))
	require.NoError(t, two.Publish("t-ends", message.NewMessage("", nil)), "another's publisher is open")
	require.NoError(t, backend.Close())
	require.Equal(t, fault.Canceled, fault.KindOf(two.Publish("t-ends", message.NewMessage("", nil))))
}

// A commit that the broker refuses is sent again until it takes it.
func TestCommitIsRepeated(t *testing.T) {
	c := fake(t, kfake.SeedTopics(1, "t"))
	broker := join(t, dial(t, quick(c.ListenAddrs())), "g")
	messages, err := broker.Subscriber.Subscribe(context.Background(), "t")
	require.NoError(t, err)
	refused := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.TopicAuthorizationFailed, Count: 3})
	require.NoError(t, broker.Publisher.Publish("t", message.NewMessage("u", nil)))
	receive(t, messages).Ack()
	until(t, 15*time.Second, func() bool { return floorOf(t, broker, "t", "ns:t/0") == 2 }, func() string { return "nothing is committed" })
	require.Equal(t, 3, refused.Hits())
}

// A stop does not wait for a broker that is away for longer than its deadline; what could not be told comes again.
func TestCloseWithoutBroker(t *testing.T) {
	brokers, link := cluster(t), newProxies(t)
	broker := join(t, dial(t, quick(brokers), kgo.Dialer(link.dial)), "g", func(o *pubsub.Options) { o.CloseTimeout = 500 * time.Millisecond })
	messages := subscribe(t, broker, "t-away")
	publish(t, broker, "t-away", 0, 1)
	msg := receive(t, messages)
	link.stop()
	msg.Ack()
	began := time.Now()
	_ = broker.Subscriber.Close()
	require.Less(t, time.Since(began), 4*time.Second)
	again := receive(t, subscribe(t, join(t, dial(t, quick(brokers)), "g"), "t-away"))
	require.Equal(t, "0", string(again.Payload))
	again.Ack()
}

// A broker that says that the credentials are wrong is believed, though it may hang up afterwards.
func TestCredentialsAnswered(t *testing.T) {
	c := fake(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "admin", secret))
	c.ControlKey(int16(kmsg.SASLAuthenticate), func(request kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		answer := request.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		text := "Authentication failed: Invalid username or password"
		answer.ErrorCode, answer.ErrorMessage = kerr.SaslAuthenticationFailed.Code, &text
		return answer, nil, true
	})
	config := quick(c.ListenAddrs())
	config.SASL = SASL{"plain", "admin", "wrong " + secret}
	err := refusedAt(t, 5*time.Second, config)
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, "check broker.kafka.sasl.user and password")
}
