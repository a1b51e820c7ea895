package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

var none = []string{} // an environment without variables

// write puts a configuration file into a folder of its own and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "leat.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// flags parses a command line.
func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	set := pflag.NewFlagSet("leat", pflag.ContinueOnError)
	RegisterFlags(set)
	require.NoError(t, set.Parse(args))
	return set
}

func problemsOf(t *testing.T, err error) []Problem {
	t.Helper()
	problem, ok := errors.AsType[*Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	return problem.Problems
}

func TestLaterSourcesWin(t *testing.T) {
	file := write(t, "log:\n  level: warn\n  format: json\nredis:\n  addr: file:1\n  db: 3\n")
	environ := []string{"LEAT_LOG_FORMAT=text", "REDIS_ADDR=env:1", "LEAT_REDIS_DB=4"}
	cfg, report, err := Load(Options{File: file, Environ: environ, Flags: flags(t, "--redis.db=5")})
	require.NoError(t, err)
	require.Equal(t, "warn", cfg.Log.Level)
	require.Equal(t, file+":2", report.Origin("log.level"))
	require.Equal(t, "text", cfg.Log.Format)
	require.Equal(t, "environment LEAT_LOG_FORMAT", report.Origin("log.format"))
	require.Equal(t, "env:1", cfg.Redis.Addr)
	require.Equal(t, "environment REDIS_ADDR", report.Origin("redis.addr"))
	require.Equal(t, 5, cfg.Redis.DB)
	require.Equal(t, "flag --redis.db", report.Origin("redis.db"))
	require.Equal(t, 25*time.Second, cfg.Shutdown.Timeout)
	require.Equal(t, "default", report.Origin("shutdown.timeout"))
	require.Empty(t, report.Origin("no.such.key"))
}

func TestNothingGivenYieldsTheDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg, _, err := Load(Options{Environ: none})
	require.NoError(t, err)
	require.Equal(t, Default(), cfg)
	require.Equal(t, "pomodoro_pattern_match_stream", cfg.Pipelines.Activity.Topic)
	require.Equal(t, "pomodoro_pattern_match_stream.dlq", cfg.Pipelines.Activity.DLQTopic())
}

func TestTheDefaultFileIsReadIfItExists(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile(DefaultFile, []byte("log: {level: debug}"), 0o600))
	cfg, report, err := Load(Options{Environ: none})
	require.NoError(t, err)
	require.Equal(t, "debug", cfg.Log.Level)
	require.Equal(t, "leat.yaml:1", report.Origin("log.level"))
}

func TestTheProcessEnvironmentIsReadIfNoneIsGiven(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("LEAT_LOG_LEVEL", "debug")
	cfg, _, err := Load(Options{})
	require.NoError(t, err)
	require.Equal(t, "debug", cfg.Log.Level)
}

func TestFilesThatCannotBeRead(t *testing.T) {
	large := write(t, strings.Repeat("#\n", maxFile/2+1))
	for path, message := range map[string]string{
		filepath.Join(t.TempDir(), "other.yaml"): "does not exist",
		t.TempDir():                              "cannot be read: ",
		large:                                    "cannot be read: it is larger than 64KiB",
	} {
		_, _, err := Load(Options{File: path, Environ: none})
		list := problemsOf(t, err)
		require.Len(t, list, 1)
		require.Equal(t, path, list[0].Origin)
		require.Contains(t, list[0].Message, message)
	}
}

func TestFilesOfTheLargestSizeAreRead(t *testing.T) {
	_, _, err := Load(Options{File: write(t, strings.Repeat("#\n", maxFile/2)), Environ: none})
	require.NoError(t, err)
}

func TestWaysToWriteAFile(t *testing.T) {
	for name, text := range map[string]string{
		"nested":                "log:\n  level: debug\nredis:\n  db: 3\n",
		"dotted":                "log.level: debug\nredis.db: 3\n",
		"flow":                  "{log: {level: debug}, redis: {db: 3}}",
		"quoted":                "\"log\": {'level': \"debug\"}\nredis: {db: \"3\"}",
		"Windows line ends":     "log:\r\n  level: debug\r\nredis:\r\n  db: 3\r\n",
		"byte order mark":       "\ufefflog:\n  level: debug\nredis:\n  db: 3\n",
		"directive":             "%YAML 1.2\n---\nlog:\n  level: debug\nredis:\n  db: 3\n",
		"document marks":        "---\nlog:\n  level: debug # yes\nredis:\n  db: 3\n...\n",
		"sections without keys": "log:\n  level: debug\nredis:\n  db: 3\nstore:\n  # uri: x\nhttp:\n",
		"comments alone around": "# a\n\nlog:\n  # b\n  level: debug\n  # c\nredis:\n  db: 3\n# d\n",
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _, err := Load(Options{File: write(t, text), Environ: none})
			require.NoError(t, err)
			want := Default()
			want.Log.Level, want.Redis.DB = "debug", 3
			require.Equal(t, want, cfg)
		})
	}
	for _, text := range []string{"", "\n\n", "# nothing\n", "---\n", "---\n---\n", "~", "\ufeff"} {
		cfg, _, err := Load(Options{File: write(t, text), Environ: none})
		require.NoError(t, err, "%q", text)
		require.Equal(t, Default(), cfg, "%q", text)
	}
}

func TestListsAreSequencesOrPartedByCommas(t *testing.T) {
	for _, text := range []string{"[x, z]", "\n    - x\n    - z", "x,z", "\"x, z\"", "['x', \"z\"]"} {
		var s sample
		_, err := fill(&s, Options{File: write(t, "server:\n  modes: "+text+"\n"), Environ: none})
		require.NoError(t, err, text)
		require.Equal(t, []string{"x", "z"}, s.Server.Modes, text)
	}
}

func TestEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		environ []string
		want    func(*Config)
	}{
		"each key has a variable":         {[]string{"LEAT_PIPELINES_ACTIVITY_BATCH_SIZE=7"}, func(c *Config) { c.Pipelines.Activity.Batch.Size = 7 }},
		"well-known names":                {[]string{"REDIS_PASSWORD=x", "MONGO_DATABASE=y"}, func(c *Config) { c.Redis.Password, c.Store.Database = "x", "y" }},
		"values may hold =":               {[]string{"MONGO_URI=mongodb://h/?a=b"}, func(c *Config) { c.Store.URI = "mongodb://h/?a=b" }},
		"LEAT_… wins":                     {[]string{"LEAT_STORE_URI=sqlite:a", "MONGO_URI=mongodb://b"}, func(c *Config) { c.Store.URI = "sqlite:a" }},
		"empty is not set":                {[]string{"LEAT_LOG_LEVEL=", "LEAT_REDIS_DB="}, func(*Config) {}},
		"others are none of our business": {[]string{"LEATHER=1", "HOME=/", "=C:=x", "odd"}, func(*Config) {}},
		"the tests' own":                  {[]string{"LEAT_TEST_MONGO_URI=mongodb://h"}, func(*Config) {}},
		"links that Kubernetes makes for a service": {[]string{
			"LEAT_SERVICE_HOST=10.0.0.1", "LEAT_SERVICE_PORT=8080", "LEAT_SERVICE_PORT_HTTP=8080", "LEAT_PORT=tcp://10.0.0.1:8080",
			"LEAT_PORT_8080_TCP=tcp://10.0.0.1:8080", "LEAT_PORT_8080_TCP_ADDR=10.0.0.1", "LEAT_REDIS_PORT=tcp://10.0.0.2:6379",
		}, func(*Config) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			cfg, _, err := Load(Options{Environ: c.environ})
			require.NoError(t, err)
			want := Default()
			c.want(want)
			require.Equal(t, want, cfg)
		})
	}
}

func TestUnknownVariablesNameTheNearest(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, want := range map[string]string{
		"LEAT_BROKER_KNID":         "LEAT_BROKER_KIND",
		"LEAT_ACTIVITY_BATCH_SIZE": "LEAT_PIPELINES_ACTIVITY_BATCH_SIZE",
		"LEAT_MONGO_URI":           "MONGO_URI",
	} {
		_, _, err := Load(Options{Environ: []string{name + "=6379"}})
		list := problemsOf(t, err)
		require.Equal(t, []Problem{{Origin: "environment " + name, Message: "is not a known variable; the nearest is " + want}}, list)
		require.NotContains(t, err.Error(), "6379", "what the value is for is not known, so it may be a secret")
	}
}

func TestWhatLeatCannotRunWith(t *testing.T) {
	t.Chdir(t.TempDir())
	for flag, problem := range map[string]string{
		"--pipelines.activity.enabled=false":           "leaves no pipeline to run",
		"--store.uri=postgres://u:p@ss@h:notaport/db":  "percent-encoded",
		"--store.uri=mysql://127.0.0.1/db":             "must be mongodb://",
		"--pipelines.activity.time_zone=Asia/Atlantis": "time zone",

		"--pipelines.activity.scores_topic=pomodoro_pattern_match_stream":     "pipelines.activity.scores_topic",
		"--pipelines.activity.scores_topic=pomodoro_pattern_match_stream.dlq": "dead letters",
	} {
		_, _, err := Load(Options{Environ: none, Flags: flags(t, flag)})
		require.ErrorContains(t, err, problem, flag)
		require.NotContains(t, err.Error(), "p@ss")
	}
}

func TestFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	set := flags(t, "--redis.tls.enabled", "--log.level", "debug", "--log.level", "warn",
		"--pipelines.activity.periods", "day", "--pipelines.activity.periods", "week,month", "--data-dir", "/data")
	cfg, report, err := Load(Options{Environ: none, Flags: set})
	require.NoError(t, err)
	require.True(t, cfg.Redis.TLS.Enabled)
	require.Equal(t, "warn", cfg.Log.Level)
	require.Equal(t, []string{"day", "week", "month"}, cfg.Pipelines.Activity.Periods)
	require.Equal(t, "/data", cfg.Embedded.DataDir)
	require.Equal(t, "flag --data-dir", report.Origin("embedded.data_dir"))
}

func TestFlagsOfKeysAreNotInTheShortHelp(t *testing.T) {
	usage := flags(t).FlagUsages()
	require.NotContains(t, usage, "--redis.addr")
	require.Contains(t, usage, "--data-dir")
}

// TestEveryProblemIsNamedAtOnce breaks each source and expects to hear of all of it, values that others replace included.
func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	file := write(t, "log:\n  level: loud\n  lvel: red\nhttp:\n  addr: nowhere\n")
	_, _, err := Load(Options{
		File:    file,
		Environ: []string{"LEAT_LOG_LEVEL=louder", "LEAT_SHUTDOWN_TIMEOUT=25"},
		Flags:   flags(t, "--log.level=debug", "--redis.db=first"),
	})
	require.Equal(t, []Problem{
		{"log.level", file + ":2", `"loud"`, "must be one of debug, info, warn, error"},
		{"log.lvel", file + ":3", "", "is not a known key; the nearest is log.level"},
		{"log.level", "environment LEAT_LOG_LEVEL", `"louder"`, "must be one of debug, info, warn, error"},
		{"shutdown.timeout", "environment LEAT_SHUTDOWN_TIMEOUT", `"25"`, errDuration.Error()},
		{"redis.db", "flag --redis.db", `"first"`, "must be a whole number"},
		{"http.addr", file + ":5", `"nowhere"`, "must be host:port, such as 127.0.0.1:8080 or [::1]:8080"},
	}, sorted(problemsOf(t, err), "log.level", "log.lvel", "shutdown.timeout", "redis.db", "http.addr"))
}

// sorted returns the problems whose keys are listed, as they came.
func sorted(list []Problem, keys ...string) []Problem {
	var result []Problem
	for _, p := range list {
		for _, key := range keys {
			if p.Key == key {
				result = append(result, p)
			}
		}
	}
	return result
}

func TestRulesThatSpanFields(t *testing.T) {
	file := write(t, "main:\n  wait: {most: 1ms}\nother:\n  wait:\n    least: 2h\n    most: soon\n  size: 13\n")
	_, err := fill(new(sample), Options{File: file, Environ: none})
	require.Equal(t, []Problem{
		{"other.wait.most", file + ":6", `"soon"`, errDuration.Error()},
		{"main.wait.most", file + ":2", `"1ms"`, "is shorter than wait.least"},
		{"other", "", "", "cannot be"},
	}, problemsOf(t, err), "a key that is wrong by itself gets no second problem")
}
