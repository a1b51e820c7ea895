//go:build !noembedded

package sqldb

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

var silent = slog.New(slog.DiscardHandler)

func TestOpenRefusesWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("no database ", 1000)), 0o600))
	for name, test := range map[string]struct{ uri, says string }{
		"another scheme":      {"mysql://u:secret@h/db", `scheme "mysql"`},
		"no scheme":           {"leat.db", "sqlite:FILE"},
		"no file":             {"sqlite:", "names no file"},
		"a host":              {"sqlite://leat.db", "write sqlite:FILE"},
		"in memory":           {"sqlite::memory:", "names no file"},
		"synchronous=off":     {"sqlite:x.db?synchronous=off", "would lose acknowledged records"},
		"synchronous=normal":  {"sqlite:x.db?synchronous=full&synchronous=NORMAL", "would lose acknowledged records"},
		"a pragma":            {"sqlite:x.db?_pragma=synchronous(OFF)", `no parameter "_pragma"`},
		"bad parameters":      {"sqlite:x.db?synchronous=%zz", "invalid URL escape"},
		"another kind":        {"sqlite:" + file, "not a database"},
		"a directory":         {"sqlite:" + filepath.Dir(file), "create the SQLite file"},
		"below a file":        {"sqlite:" + filepath.Join(file, "leat.db"), "create the SQLite file"},
		"an unparsable URI":   {"postgres://u:secret@h:port/db", "cannot parse"},
		"a bad escape":        {"postgres://u:secret%zz@h/db", "cannot parse"},
		"an unescaped slash":  {"postgres://u:secret/@h/db", "cannot parse"},
		"an unparsable value": {"postgres://u:secret@h/db?connect_timeout=soon", "invalid connect_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			store, err := Open(t.Context(), test.uri, testConfig, silent)
			require.Nil(t, store)
			require.ErrorContains(t, err, test.says)
			require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestOpenAcceptsFullAndExtra(t *testing.T) {
	for level, want := range map[string]int{"": 2, "?synchronous=full": 2, "?synchronous=EXTRA": 3} {
		store := openStore(t, "sqlite:"+filepath.Join(t.TempDir(), "leat.db")+level)
		var got int
		require.NoError(t, store.write.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&got))
		require.Equal(t, want, got, level)
	}
}

func TestFileBelongsToItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "leat.db")
	openStore(t, "sqlite:"+path)
	for name, want := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), name)
	}
}

func TestServerThatIsDownIsUnavailable(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, err = Open(t.Context(), "postgres://leat:secret@"+addr+"/leat?sslmode=disable", testConfig, silent)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
	require.NotContains(t, err.Error(), "secret")
}

// A server that accepts and says nothing must not hold the start up for ever.
func TestServerThatHangsIsUnavailable(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	cfg := Config{Timeout: 100 * time.Millisecond, MaxConnections: 1}
	_, err = Open(t.Context(), "postgres://leat:secret@"+listener.Addr().String()+"/leat?sslmode=disable", cfg, silent)
	require.Equal(t, fault.Unavailable, fault.KindOf(err), "%v", err)
}

func TestPostgresRefusals(t *testing.T) {
	uri, err := url.Parse(databases["postgres"](t))
	require.NoError(t, err)
	missing, weak, stranger := *uri, *uri, *uri
	stranger.User = url.UserPassword("there_is_no_such_role", "secret")
	missing.Path = "/there_is_no_such_database"
	weak.RawQuery += "&synchronous_commit=off"
	for uri, says := range map[string]string{
		missing.String():  `database "there_is_no_such_database" does not exist`,
		stranger.String(): `role "there_is_no_such_role" does not exist`,
		weak.String():     "synchronous_commit=off",
	} {
		_, err := Open(t.Context(), uri, testConfig, silent)
		require.NotContains(t, err.Error(), "secret")
		require.ErrorContains(t, err, says)
		require.Equal(t, fault.Invalid, fault.KindOf(err), "%v", err)
	}
}

func TestPing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, uri string) {
		store := openStore(t, uri)
		require.NoError(t, store.Ping(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Equal(t, fault.Canceled, fault.KindOf(store.Ping(ctx)))
	})
}

func TestClosedStoreIsUnavailable(t *testing.T) {
	eachDatabase(t, func(t *testing.T, uri string) {
		store := openStore(t, uri)
		require.NoError(t, store.Close())
		for name, err := range map[string]error{
			"ping": store.Ping(t.Context()),
			"seed": store.SeedPatterns(t.Context(), nil),
		} {
			require.Equal(t, fault.Unavailable, fault.KindOf(err), "%s: %v", name, err)
		}
	})
}
