//go:build noembedded

package sqldb

import (
	"context"

	"leat/handlers/fault"
)

func openSQLite(context.Context, string, Config) (*Store, error) {
	return nil, fault.Invalidf("store_uri", "store: this program was built without SQLite (build tag noembedded): use a build without that tag, or another store")
}
