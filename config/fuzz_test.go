package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzYAML loads any text as a file. What loads is printed and loaded again, and is the same.
func FuzzYAML(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.yaml")
	require.NoError(f, err)
	for _, file := range append(files, examplePath, "testdata/sample.yaml") {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(text)
	}
	for _, text := range []string{"a: &a [*a]", "<<: {}", "? a\n: b", "--- |\n x", "server: {port: 0x10}", "name: \"\\u2028\"", "name: 'a: #b'", "token: \"\\x00\""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4<<10 {
			t.Skip("large files take the parser long and find nothing more")
		}
		var s sample
		tree, found := walk(&s), newProblems()
		tree.readYAML("fuzz.yaml", text, found)
		tree.validate(found)
		if len(found.list) == 0 {
			requireReloads(t, tree, &s)
		}
	})
}

// FuzzEnv gives any text to each key. It is refused, or it is the value that a printed configuration has too.
func FuzzEnv(f *testing.F) {
	for _, text := range []string{"", "x", "1", "-1", "true", "1m30s", "7d", "256KiB", "0.5", "x,y", "null", "~", "a: b", "- a", "#", " a ", "\u2028", "\ufeff", "'", "\"", "\\", "*a", "&a", "!a", "1e3", "0x1f", "12:30", "=", "<<", "redis://a:b@c?d=e"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i := range walk(new(sample)).leaves {
			var s sample
			tree := walk(&s)
			l := tree.leaves[i]
			if problem := l.setText(text, "environment "+l.env[0]); problem == "" {
				require.Empty(t, l.setText(l.text(), l.origin), "%s: %q", l.key, l.text())
				requireReloads(t, tree, &s)
			}
		}
	})
}

// requireReloads prints a configuration and loads it again, but for its secrets.
func requireReloads(t *testing.T, tree *tree, s *sample) {
	t.Helper()
	s.Token, s.Address = "", ""
	var b bytes.Buffer
	require.NoError(t, (&Report{tree}).Print(&b))
	var again sample
	reloaded, found := walk(&again), newProblems()
	reloaded.readYAML("printed.yaml", b.Bytes(), found)
	require.Empty(t, found.list, b.String())
	require.Equal(t, *s, again, b.String())
}
