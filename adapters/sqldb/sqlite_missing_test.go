//go:build noembedded

package sqldb

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

func TestWithoutSQLite(t *testing.T) {
	_, err := Open(t.Context(), "sqlite:leat.db", Config{}, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "build tag noembedded")
	require.Equal(t, fault.Invalid, fault.KindOf(err))
}
