package sql

import (
	"strings"
	"testing"

	stock "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/stretchr/testify/require"
)

// The names of tables are those of the stock adapter, and none is so long that PostgreSQL cuts it.
func TestTableNames(t *testing.T) {
	for _, topic := range []string{"t", "pomodoro_pattern_match_stream.dlq", "A-b:c$d.e", strings.Repeat("x", longestTopic)} {
		require.NoError(t, checkTopic(topic))
		require.Equal(t, stock.DefaultPostgreSQLSchema{}.MessagesTable(topic), messagesTable(topic))
		require.Equal(t, stock.DefaultPostgreSQLOffsetsAdapter{}.MessagesOffsetsTable(topic), offsetsTable(topic))
		require.LessOrEqual(t, len(offsetsTable(topic)), longestName+2)
	}
	require.Equal(t, int64(stock.DefaultSchemaInitializationLock("watermill")), schemaLock)
}
