package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"leat/config"
)

// Every example is a configuration that leat takes, and stands in the page about the backends as it is.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../examples/*.yaml")
	require.NoError(t, err)
	page, err := os.ReadFile("../docs/backends.md")
	require.NoError(t, err)
	kinds := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		cfg, _, err := config.Load(config.Options{File: file, Environ: []string{"REDIS_PASSWORD=secret"}})
		require.NoError(t, err)
		kinds[cfg.Broker.Kind] = true
		require.Contains(t, string(page), "```yaml\n"+strings.TrimSpace(body(string(text)))+"\n```", "docs/backends.md has another %s", file)
	}
	for _, kind := range []string{config.RedisStream, config.GoChannel, config.NATS, config.Kafka, config.AMQP, config.SQL} {
		require.True(t, kinds[kind], "no example for %s", kind)
	}
}

// body is a file without the comment at its top.
func body(text string) string {
	for strings.HasPrefix(text, "#") {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text
}
