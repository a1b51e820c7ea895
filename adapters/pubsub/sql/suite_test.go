package sql

import (
	"crypto/rand"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
)

// TestWatermillSuite runs the tests that Watermill has for every backend.
func TestWatermillSuite(t *testing.T) {
	cfg := quick(hasty(t))
	cfg.PoolSize = 8
	backend := connect(t, cfg) // one for all: the suite makes more subscribers at a time than the server has connections
	require.NoError(t, execute(cfg.URI, "ALTER DATABASE "+backend.pool.Config().ConnConfig.Database+" SET synchronous_commit = off"))
	backend.pool.Reset()
	construct := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		broker, err := backend.Broker(pubsub.Options{Group: group, CloseTimeout: 300 * time.Millisecond})
		require.NoError(t, err)
		t.Cleanup(func() { _ = broker.Subscriber.Close() })
		return broker.Publisher, broker.Subscriber
	}
	t.Run("suite", func(t *testing.T) {
		tests.TestPubSub(t, tests.Features{
			ConsumerGroups:                   true,
			Persistent:                       true,
			GuaranteedOrder:                  false, // nacked messages come again later; handlers run concurrently
			NewSubscriberReceivesOldMessages: false, // a new group does, which the conformance suite tests; a new subscriber of a group goes on
		}, func(t *testing.T) (message.Publisher, message.Subscriber) {
			return construct(t, "g") // one for all subscribers of a test: each test has a topic of its own
		}, construct)
	})
}

// hasty returns a database that is dropped when the test ends. The suite publishes some 20,000 messages one by one; here it need not wait
// for the disk each time.
func hasty(t *testing.T) *url.URL {
	uri, name := server(t), "leat_test_"+strings.ToLower(rand.Text())
	require.NoError(t, execute(uri.String(), "CREATE DATABASE "+name))
	t.Cleanup(func() { require.NoError(t, execute(uri.String(), "DROP DATABASE "+name+" WITH (FORCE)")) })
	own := *uri
	own.Path = "/" + name
	return &own
}
