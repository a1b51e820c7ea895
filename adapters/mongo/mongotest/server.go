// Package mongotest gives tests a server that speaks MongoDB's protocol: the one that LEAT_TEST_MONGO_URI names,
// else FerretDB on a directory of SQLite files, built from the module ../ferretdb. FerretDB only stands in: on it,
// inserts and simple finds behave as on MongoDB, concurrent updates do not.
package mongotest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// startTimeout is how long a server may take until it answers.
const startTimeout = 30 * time.Second

// Server is where tests find a database.
type Server struct {
	URI    string
	Ferret bool // it is FerretDB
}

// URI starts a server as Start does and returns its URI.
func URI(t testing.TB) string { return Start(t).URI }

// Start returns a server that serves until the test ends. Tests that share one must use databases of their own: see
// Database. Without a server, and if FerretDB cannot be built, the test is skipped, or fails where the environment
// says CI=true.
func Start(t testing.TB) Server {
	t.Helper()
	if uri := os.Getenv("LEAT_TEST_MONGO_URI"); uri != "" {
		return Server{URI: uri}
	}
	binary, err := build()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no MongoDB for this test: set LEAT_TEST_MONGO_URI, or mend this: %v", err)
		}
		t.Skipf("no MongoDB for this test: set LEAT_TEST_MONGO_URI, or mend this: %v", err)
	}
	var uri string
	for range 3 { // another process may take the port first
		if uri, err = start(t, binary); err == nil {
			return Server{URI: uri, Ferret: true}
		}
	}
	t.Fatalf("FerretDB does not start: %v", err)
	return Server{}
}

// start runs FerretDB on a free port until the test ends.
func start(t testing.TB, binary string) (uri string, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	addr, err := freeAddr(ctx)
	if err != nil {
		return "", err
	}
	var log bytes.Buffer
	server := exec.CommandContext(ctx, binary, "-listen", addr, "-dir", t.TempDir())
	server.Stderr = &log
	if _, err := server.StdinPipe(); err != nil { // it ends with this process
		return "", err
	}
	if err := server.Start(); err != nil {
		return "", err
	}
	var failed error
	exited := make(chan struct{})
	go func() { failed = server.Wait(); close(exited) }()
	stop := func() {
		cancel()
		<-exited
	}
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) {
		select {
		case <-exited:
			return "", fmt.Errorf("it exited: %w: %s", failed, log.String())
		default:
		}
		if conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr); err == nil {
			_ = conn.Close()
			t.Cleanup(stop)
			return "mongodb://" + addr + "/", nil
		}
		time.Sleep(20 * time.Millisecond) // nothing tells when it listens
	}
	stop()
	return "", errors.New("it does not listen: " + log.String())
}

func freeAddr(ctx context.Context) (string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// Database returns the name of a database that does not exist yet, and is dropped when the test ends.
func Database(t testing.TB, server Server) string {
	t.Helper()
	name := "leat_test_" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		client, err := mongo.Connect(options.Client().ApplyURI(server.URI))
		if err != nil {
			t.Errorf("drop the database of the test: %v", err)
			return
		}
		defer func() { _ = client.Disconnect(ctx) }()
		if err := client.Database(name).RunCommand(ctx, bson.D{{Key: "dropDatabase", Value: 1}}).Err(); err != nil {
			t.Errorf("drop the database of the test: %v", err)
		}
	})
	return name
}
