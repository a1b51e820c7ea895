package redis

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

func TestNotes(t *testing.T) {
	for name, start := range setups {
		t.Run(name, func(t *testing.T) {
			config, admin := start(t)
			ctx := t.Context()
			notes, others := NewNotes(open(t, config), "topic", "group"), NewNotes(open(t, config), "topic", "other group")

			runs, err := notes.Runs(ctx, []string{"a", "b"})
			require.NoError(t, err)
			require.Empty(t, runs)
			runs, err = notes.Runs(ctx, nil)
			require.NoError(t, err)
			require.Empty(t, runs)
			require.NoError(t, notes.Forget(ctx))
			require.NoError(t, notes.Forget(ctx, "never noted"))

			require.NoError(t, notes.Note(ctx, "a", 1))
			require.NoError(t, notes.Note(ctx, "", 7))
			require.NoError(t, notes.Note(ctx, "b:{x} \n", 1))
			require.NoError(t, notes.Note(ctx, "b:{x} \n", 2))
			require.NoError(t, notes.Note(ctx, "b:{x} \n", 2))
			runs, err = NewNotes(open(t, config), "topic", "group").Runs(ctx, []string{"a", "c", "b:{x} \n", "", "a"}) // as after a restart
			require.NoError(t, err)
			require.Equal(t, map[string]int{"a": 1, "b:{x} \n": 2, "": 7}, runs)
			runs, err = others.Runs(ctx, []string{"a"})
			require.NoError(t, err)
			require.Empty(t, runs)

			require.NoError(t, notes.Forget(ctx, "a", "b:{x} \n", "c"))
			require.NoError(t, notes.Forget(ctx, "a"))
			runs, err = notes.Runs(ctx, []string{"a", "b:{x} \n", ""})
			require.NoError(t, err)
			require.Equal(t, map[string]int{"": 7}, runs)

			require.InDelta(t, notesTTL.Hours(), admin.PTTL(ctx, "leat:suspects:topic:group").Val().Hours(), 0.1)
			require.NoError(t, admin.PExpire(ctx, "leat:suspects:topic:group", time.Minute).Err())
			require.NoError(t, notes.Note(ctx, "a", 1))
			require.InDelta(t, notesTTL.Hours(), admin.PTTL(ctx, "leat:suspects:topic:group").Val().Hours(), 0.1)
		})
	}
}

// Names that hold separators make keys of their own.
func TestNotesOfOddNames(t *testing.T) {
	keys := map[string]bool{}
	for _, names := range [][2]string{{"a:b", "c"}, {"a", "b:c"}, {"a%3Ab", "c"}, {"{a}", "c"}, {"", "a:b:c"}, {"a b", "c"}, {"a+b", "c"}} {
		keys[NewNotes(nil, names[0], names[1]).key] = true
	}
	require.Len(t, keys, 7)
	require.Contains(t, keys, "leat:suspects:%7Ba%7D:c")
}

func TestNotesThatCannotBeUsed(t *testing.T) {
	every := func(t *testing.T, client redis.UniversalClient, kind fault.Kind) {
		t.Helper()
		notes := NewNotes(client, "topic", "group")
		_, err := notes.Runs(t.Context(), []string{"a"})
		for _, err := range []error{err, notes.Note(t.Context(), "a", 1), notes.Forget(t.Context(), "a")} {
			require.Error(t, err)
			require.Equal(t, kind, fault.KindOf(err), "%v", err)
		}
	}
	t.Run("connection refused", func(t *testing.T) { every(t, connect(t, freeAddr(t)), fault.Unavailable) })
	t.Run("a password is missing", func(t *testing.T) {
		every(t, connect(t, startRedis(t, "--requirepass", "secret")), fault.Unavailable)
	})
	client := connect(t, startRedis(t))
	t.Run("the key is of someone else", func(t *testing.T) {
		require.NoError(t, client.Set(t.Context(), "leat:suspects:topic:group", "of someone else", 0).Err())
		every(t, client, fault.Internal)
	})
	t.Run("a value is of someone else", func(t *testing.T) {
		require.NoError(t, client.Del(t.Context(), "leat:suspects:topic:group").Err())
		require.NoError(t, client.HSet(t.Context(), "leat:suspects:topic:group", "a", "often").Err())
		_, err := NewNotes(client, "topic", "group").Runs(t.Context(), []string{"a"})
		require.Equal(t, fault.Internal, fault.KindOf(err), "%v", err)
		require.ErrorContains(t, err, "leat:suspects:topic:group")
	})
}
