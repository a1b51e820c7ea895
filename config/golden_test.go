package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files, leat.example.yaml and the table in docs/configuration.md")

const (
	examplePath = "../leat.example.yaml"
	tablePath   = "../docs/configuration.md"
)

// golden compares text with a file, or writes the file.
func golden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	have, want := strings.Split(text, "\n"), strings.Split(string(data), "\n")
	for i := range max(len(have), len(want)) {
		if i >= len(have) || i >= len(want) || have[i] != want[i] {
			t.Fatalf("%s differs from line %d on; go test ./config -update rewrites it\nfile: %q\ncode: %q",
				path, i+1, want[min(i, len(want)):min(i+1, len(want))], have[min(i, len(have)):min(i+1, len(have))])
		}
	}
}

// TestBadFiles shows what people read about a file that is wrong: testdata/bad/*.yaml, the messages beside it.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cfg, report, err := Load(Options{File: file, Environ: none})
			require.Error(t, err)
			require.Nil(t, cfg)
			require.Nil(t, report)
			golden(t, file[:len(file)-len(".yaml")]+".txt", err.Error()+"\n")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// TestPrint shows what a configuration of each source looks like.
func TestPrint(t *testing.T) {
	file := "testdata/sample.yaml"
	report, err := fill(new(sample), Options{File: file, Environ: []string{
		"SAMPLE_NAME=yes", "LEAT_TOKEN=hunter2", "LEAT_ADDRESS=redis://me:hunter2@host:1/?client_secret=hunter2&db=3",
	}})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, report.Print(&b))
	golden(t, "testdata/sample.printed.yaml", b.String())
	require.NotContains(t, b.String(), "hunter2")

	_, err = fill(new(sample), Options{File: "testdata/sample.printed.yaml", Environ: none})
	require.Equal(t, []string{"token", "address"}, keysOf(problemsOf(t, err)), "a masked secret is refused, not taken for the real one")
}

func keysOf(list []Problem) []string {
	var keys []string
	for _, p := range list {
		keys = append(keys, p.Key)
	}
	return keys
}

func TestExampleIsTrueToTheCode(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteExample(&b))
	golden(t, examplePath, b.String())

	cfg, report, err := Load(Options{File: examplePath, Environ: none})
	require.NoError(t, err)
	require.Equal(t, Default(), cfg)
	for _, l := range report.tree.leaves {
		require.NotEqual(t, "default", l.origin, "%s does not stand in the example", l.key)
	}
}

// TestTableIsTrueToTheCode holds what stands between the two markers.
func TestTableIsTrueToTheCode(t *testing.T) {
	page, err := os.ReadFile(tablePath)
	if err != nil || !markers.Match(page) {
		t.Fatalf("%s cannot be read or has no markers for the table: %v", tablePath, err)
	}
	golden(t, tablePath, withTable(t, string(page)))
}

var markers = regexp.MustCompile(`(?s)(<!-- config:begin -->\n).*?(<!-- config:end -->)`)

// withTable returns the text with the table of all keys between its markers.
func withTable(t *testing.T, text string) string {
	var b bytes.Buffer
	require.NoError(t, WriteTable(&b))
	parts := markers.FindStringSubmatchIndex(text)
	return text[:parts[3]] + "\n" + b.String() + "\n" + text[parts[4]:]
}

func TestTheTableHasARowForEachKey(t *testing.T) {
	text := withTable(t, "before\n<!-- config:begin -->\nold\n<!-- config:end -->\nafter\n")
	require.True(t, strings.HasPrefix(text, "before\n<!-- config:begin -->\n\n| key | default | meaning |\n|---|---|---|\n| `broker.kind` | `redisstream` | "))
	require.True(t, strings.HasSuffix(text, " |\n\n<!-- config:end -->\nafter\n"))
	require.Equal(t, text, withTable(t, text), "writing it again changes nothing")
	for _, l := range walk(new(Config)).leaves {
		require.Contains(t, text, "\n| `"+l.key+"` | ")
	}
}
