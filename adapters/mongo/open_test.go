package mongo

import (
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"leat/adapters/mongo/mongotest"
	"leat/handlers/activity"
	"leat/handlers/fault"
)

func TestOpenRefusesWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct{ uri, database, says string }{
		"another scheme":        {"postgres://u:secret@h/db", "leat", "MongoDB URI is wrong"},
		"no host":               {"mongodb://u:secret@/db", "leat", "MongoDB URI is wrong"},
		"an unescaped password": {"mongodb://u:secret/@h/db", "leat", "MongoDB URI is wrong"},
		"an unescaped @":        {"mongodb://u:sec@ret@h/db", "leat", "MongoDB URI is wrong"},
		"a bad escape":          {"mongodb://u:secret%zz@h/db", "leat", "MongoDB URI is wrong"},
		"w=0":                   {"mongodb://u:secret@h/?w=0", "leat", "write concern below"},
		"w=1":                   {"mongodb://u:secret@h/?w=1", "leat", "write concern below"},
		"w=2":                   {"mongodb://u:secret@h/?w=2", "leat", "write concern below"},
		"a tagged concern":      {"mongodb://u:secret@h/?w=somewhere", "leat", "write concern below"},
		"no journal":            {"mongodb://u:secret@h/?w=majority&journal=false", "leat", "write concern below"},
		"secondaries":           {"mongodb://u:secret@h/?readPreference=secondaryPreferred", "leat", "readPreference=secondaryPreferred"},
		"local reads":           {"mongodb://u:secret@h/?readConcernLevel=local", "leat", "readConcernLevel=local"},
		"no database":           {"mongodb://u:secret@h/", "", "is no name of a MongoDB database"},
		"a database with a dot": {"mongodb://u:secret@h/", "le.at", "is no name of a MongoDB database"},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := Open(t.Context(), test.uri, test.database, testConfig, silent)
			require.Nil(t, store)
			require.ErrorContains(t, err, test.says)
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), "sec@ret")
		})
	}
}

func TestEveryWriteWaitsForTheMajority(t *testing.T) {
	for _, uri := range []string{"mongodb://h/", "mongodb://h/?w=majority", "mongodb://h/?journal=true", "mongodb://h/?readConcernLevel=majority&readPreference=primary"} {
		opts, err := clientOptions(uri, "leat", testConfig)
		require.NoError(t, err, uri)
		require.Equal(t, writeconcern.WCMajority, opts.WriteConcern.W)
		require.True(t, *opts.WriteConcern.Journal)
		require.Equal(t, "majority", opts.ReadConcern.Level)
	}
}

// Whatever the credentials are, an error that quotes the URI does not show the password.
func FuzzRedact(f *testing.F) {
	f.Add("user", "secret")
	f.Add("user", "p%40ss/w:rd@")
	f.Add("", "secret secret")
	f.Fuzz(func(t *testing.T, user, password string) {
		if len(password) < 4 || strings.Contains(password, "***") || strings.Contains("mongodb://***@host/db: parse ", password) {
			t.Skip("a text that is not a secret's")
		}
		for _, escaped := range []string{password, url.QueryEscape(password)} {
			uri := "mongodb://" + url.QueryEscape(user) + ":" + escaped + "@host/db"
			require.NotContains(t, redact(uri, "parse "+uri+": "+escaped), password)
			require.NotContains(t, redact(uri, "parse "+uri+": "+escaped), escaped)
		}
	})
}

func TestWrongCredentials(t *testing.T) {
	uri, err := url.Parse(mongotest.URI(t))
	require.NoError(t, err)
	uri.User = url.UserPassword("stranger", "secret")
	_, err = Open(t.Context(), uri.String(), "leat", testConfig, silent)
	require.ErrorContains(t, err, "auth")
	require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	require.NotContains(t, err.Error(), "secret")
}

func TestServerThatIsDownIsUnavailable(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	hanging := func() { require.NoError(t, listener.Close()) }
	defer hanging()
	cfg := Config{Timeout: 300 * time.Millisecond, MaxConnections: 1}
	began := time.Now()
	for _, addr := range []string{addr, "127.0.0.1:1"} { // one that says nothing, and none
		_, err = Open(t.Context(), "mongodb://leat:secret@"+addr+"/", "leat", cfg, silent)
		require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
		require.NotContains(t, err.Error(), "secret")
	}
	require.Less(t, time.Since(began), 10*time.Second)
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	server := mongotest.Start(t)
	store := openStore(t, server, mongotest.Database(t, server))
	require.NoError(t, store.Ping(t.Context()))
	require.NoError(t, store.Close())
	require.NoError(t, store.Close())
	_, err := store.FindLogs(t.Context(), []activity.ID{{1}})
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	require.Equal(t, fault.Unavailable, fault.KindOf(store.Ping(t.Context())))
}
