package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// leastPermissions is all that the user of leat needs, as ACL rules: those that the documentation gives.
var leastPermissions = strings.Fields(`
	~pomodoro_pattern_match_stream ~pomodoro_pattern_match_stream.dlq ~session_score_stream ~leaderboard:* ~leat:*
	+ping +hello +config|get +eval +evalsha +time +type
	+xadd +xreadgroup +xack +xclaim +xpending +xrange +xtrim +xlen
	+xinfo|groups +xinfo|consumers +xgroup|create +xgroup|delconsumer
	+get +set +del +exists +pexpire +pexpireat +hget +hset +hdel +hmget +hgetall +hkeys
	+zadd +zincrby +zmscore +zremrangebyscore +zrevrange +zrangebyscore +zscore +zcount`)

// secured is a Redis that speaks TLS only, asks for certificates, and lets leat do no more than it must.
type secured struct {
	server *redisServer // as its administrator
	env    []string     // for leat
}

func startSecured(t testing.TB, rules []string) secured {
	t.Helper()
	addr, files := freeAddr(t), certificates(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	users := filepath.Join(t.TempDir(), "users.acl")
	require.NoError(t, os.WriteFile(users, []byte("user default on >admin ~* &* +@all\nuser leat on >secret "+strings.Join(rules, " ")+"\n"), 0o600))
	certificate, err := tls.LoadX509KeyPair(files.cert, files.key)
	require.NoError(t, err)
	authorities := x509.NewCertPool()
	require.True(t, authorities.AppendCertsFromPEM(files.ca))
	s := &redisServer{addr: addr, dir: t.TempDir(), args: []string{
		"--port", "0", "--tls-port", port, "--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.caFile,
		"--tls-auth-clients", "yes", "--aclfile", users,
	}}
	s.Client = redis.NewClient(&redis.Options{Addr: addr, Password: "admin", MaxRetries: -1, TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: authorities, Certificates: []tls.Certificate{certificate},
	}})
	t.Cleanup(func() { _ = s.Close() })
	s.start(t)
	t.Cleanup(s.kill)
	return secured{s, []string{
		"LEAT_REDIS_USERNAME=leat", "REDIS_PASSWORD=secret", "LEAT_REDIS_TLS_ENABLED=true", "LEAT_REDIS_TLS_CA_FILE=" + files.caFile,
		"LEAT_REDIS_TLS_CERT_FILE=" + files.cert, "LEAT_REDIS_TLS_KEY_FILE=" + files.key,
	}}
}

// pemFiles are a certificate for 127.0.0.1 that is its own authority.
type pemFiles struct {
	caFile, cert, key string
	ca                []byte
}

func certificates(t testing.TB) pemFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir := t.TempDir()
	files := pemFiles{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	files.caFile, files.ca = files.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(files.cert, files.ca, 0o600))
	require.NoError(t, os.WriteFile(files.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return files
}

// killedOnce works through the entries with one worker that is killed on the way and one after it.
func (w *world) killedOnce(all []*entry, env []string) {
	w.t.Helper()
	w.publish(all...)
	victim := w.run(append(slices.Concat(env, smallBatches(0)), atRate(3000))...)
	w.reads(len(all) / 3)
	victim.kill()
	worker := w.run(env...)
	w.drained(60 * time.Second)
	worker.terminate()
	require.NotContains(w.t, worker.log.String(), "level=ERROR")
	w.addsUp(all)
}

// Over TLS in both directions, as a user who may do what is documented and nothing else.
func TestTLSAndLeastPermissions(t *testing.T) {
	random := random(t)
	s := startSecured(t, leastPermissions)
	w := &world{t: t, redis: s.server, db: openSQLite(t)}
	w.killedOnce(newLoad(random).entries(2_000), s.env)
	denied, err := s.server.Do(t.Context(), "acl", "log").Slice()
	require.NoError(t, err)
	for _, entry := range denied {
		t.Errorf("leat was denied: %v", entry)
	}
}

// A permission that is missing is named at once, and so is a certificate that is.
func TestRunRefusesMissingPermissions(t *testing.T) {
	t.Parallel()
	s := startSecured(t, slices.DeleteFunc(slices.Clone(leastPermissions), func(rule string) bool { return rule == "+zincrby" }))
	env := append([]string{"REDIS_ADDR=" + s.server.addr, "LEAT_STORE_URI=sqlite:leat.db"}, s.env...)
	r := refused(t, 1, env)
	require.Contains(t, r.err, "zincrby")
	require.Less(t, r.took, 5*time.Second)

	env = slices.DeleteFunc(env, func(v string) bool { return strings.Contains(v, "CERT_FILE") || strings.Contains(v, "KEY_FILE") })
	r = refused(t, 1, env)
	require.Contains(t, r.err, "redis.tls")
	require.Less(t, r.took, 5*time.Second)

	r = refused(t, 1, append(env, "LEAT_REDIS_TLS_CA_FILE=/nowhere/ca.pem"))
	require.Contains(t, r.err, "redis.tls.ca_file")
	require.Contains(t, r.err, "/nowhere/ca.pem")
}

// startSentinel starts a sentinel that watches the server under the name "leat", and returns its address. It is patient:
// a machine that is busy must not look like a master that is gone.
func startSentinel(t testing.TB, master *redisServer) string {
	t.Helper()
	addr, dir := freeAddr(t), t.TempDir()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	host, masterPort, err := net.SplitHostPort(master.addr)
	require.NoError(t, err)
	file := filepath.Join(dir, "sentinel.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil,
		"port %s\nbind 127.0.0.1\ndir %s\nrequirepass watching\nsentinel monitor leat %s %s 1\nsentinel down-after-milliseconds leat 60000\nsentinel failover-timeout leat 3000\n",
		port, dir, host, masterPort), 0o600))
	cmd := exec.CommandContext(t.Context(), "redis-server", file, "--sentinel")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	sentinel := redis.NewSentinelClient(&redis.Options{Addr: addr, Password: "watching"})
	defer sentinel.Close()
	until(t, 20*time.Second, func() bool {
		replicas, err := sentinel.Replicas(t.Context(), "leat").Result()
		return err == nil && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok" && replicas[0]["flags"] == "slave"
	}, func() string { return "the sentinel knows the replica" })
	return addr
}

// Behind a sentinel: a worker is killed, then the master. The sentinel makes the replica the master, and the worker goes on there.
// What the old master had acknowledged and not yet passed on is gone from the streams, the boards and the markers alike, so
// everything adds up nevertheless.
func TestSentinelFailover(t *testing.T) {
	random := random(t)
	master := startRedis(t)
	_, port, err := net.SplitHostPort(master.addr)
	require.NoError(t, err)
	replica := startRedis(t, "--replicaof", "127.0.0.1 "+port, "--repl-diskless-sync-delay", "0")
	sentinel := startSentinel(t, master)
	client := redis.NewFailoverClient(&redis.FailoverOptions{
		SentinelAddrs: []string{sentinel}, SentinelPassword: "watching", MasterName: "leat", MaxRetries: -1, DialerRetries: 1, ReadTimeout: 30 * time.Second,
	})
	defer client.Close()
	w := &world{t: t, redis: &redisServer{Client: client, addr: sentinel + "," + freeAddr(t)}, db: openSQLite(t)}
	mode := slices.Concat([]string{"LEAT_REDIS_MODE=sentinel", "LEAT_REDIS_MASTER=leat", "LEAT_REDIS_SENTINEL_PASSWORD=watching", atRate(1000)}, quickBreaker, smallBatches(0))

	all := newLoad(random).entries(3_000)
	w.publish(all...)
	require.NoError(t, master.Wait(t.Context(), 1, 10*time.Second).Err()) // the replica has all entries
	victim := w.run(mode...)
	w.reads(500 + random.IntN(300))
	victim.kill()
	worker := w.run(mode...)
	w.reads(1500 + random.IntN(300))
	watcher := redis.NewSentinelClient(&redis.Options{Addr: sentinel, Password: "watching"})
	defer watcher.Close()
	require.NoError(t, watcher.Set(t.Context(), "leat", "down-after-milliseconds", "500").Err())
	master.kill()
	worker.logged(opened, 1, 30*time.Second)
	worker.logged(closed, 1, 60*time.Second)
	w.drained(90 * time.Second)
	worker.terminate()
	require.Contains(t, replica.Info(t.Context(), "replication").Val(), "role:master")
	require.NotContains(t, worker.log.String(), "level=ERROR")
	w.addsUp(all)
}
