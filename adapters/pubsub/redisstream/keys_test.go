package redisstream

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysShareTheSlotOfTheStream(t *testing.T) {
	for stream, tag := range map[string]string{
		"s": "s", "{a}b": "a", "x{a}{b}": "a", "{}s": "{}s",
	} {
		require.Equal(t, tag, hashTag(stream))
	}
	require.NotEqual(t, leaseKey("s", "a:b", "c"), leaseKey("s", "a", "b:c"))
	require.False(t, taggable("a}b"))
	require.False(t, taggable("{}s"))
	require.True(t, taggable("x{a}b"))
	require.True(t, taggable("s{"))
}
