package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

const (
	activityTopic = "pomodoro_pattern_match_stream"
	goodLine      = `{"userId":"u1","app":"Code","title":"main.go","duration":12.0,"timestamp":1.7604210325E9,"isEnd":false}`
)

// called is what a command left behind.
type called struct {
	code     int
	out, err string
}

// call runs leat as a user would, but in this process.
func call(ctx context.Context, in io.Reader, args ...string) called {
	var out, errOut strings.Builder
	code := Main(ctx, args, in, &out, &errOut)
	return called{code, out.String(), errOut.String()}
}

// eachRedis runs a test on the Redis within and on a real server.
func eachRedis(t *testing.T, test func(t *testing.T, addr string, client *goredis.Client)) {
	for name, start := range map[string]func(*testing.T) string{
		"miniredis":    func(t *testing.T) string { return miniredis.RunT(t).Addr() },
		"redis-server": realRedis,
	} {
		t.Run(name, func(t *testing.T) {
			addr := start(t)
			client := goredis.NewClient(&goredis.Options{Addr: addr})
			t.Cleanup(func() { _ = client.Close() })
			test(t, addr, client)
		})
	}
}

// realRedis starts a redis-server for the test.
func realRedis(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not in the PATH")
		}
		t.Skip("redis-server is not in the PATH")
	}
	addr := unusedAddr(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	server := exec.CommandContext(context.WithoutCancel(t.Context()), "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(), "--loglevel", "warning")
	require.NoError(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	client := goredis.NewClient(&goredis.Options{Addr: addr})
	defer func() { _ = client.Close() }()
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, 10*time.Second, 10*time.Millisecond)
	return addr
}

// unusedAddr is an address that nobody listens on.
func unusedAddr(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// entries are the fields of all entries of a topic.
func entries(t *testing.T, client *goredis.Client, topic string) []map[string]any {
	t.Helper()
	found, err := client.XRange(t.Context(), topic, "-", "+").Result()
	require.NoError(t, err)
	fields := make([]map[string]any, len(found))
	for n, entry := range found {
		fields[n] = entry.Values
	}
	return fields
}

func TestPublishWritesFlatFieldsAsTheProducerDoes(t *testing.T) {
	eachRedis(t, func(t *testing.T, addr string, client *goredis.Client) {
		in := goodLine + "\n" + `{"userId":"u2","url":"https://go.dev","app":null,"duration":"1","session":3,"colour":"red","isEnd":true}` + "\n"
		got := call(t.Context(), strings.NewReader(in), "publish", "activity", "--format", "fields", "--redis.addr", addr)
		require.Equal(t, 0, got.code, got.err)
		require.Regexp(t, `^published 2, wrong 0 in \S+ \(\d+/s\)\n$`, got.out)
		require.Empty(t, got.err)
		require.Equal(t, []map[string]any{
			{"userId": "u1", "app": "Code", "title": "main.go", "duration": "12.0", "timestamp": "1.7604210325E9", "isEnd": "false"},
			{"userId": "u2", "app": "", "url": "https://go.dev", "duration": "1", "session": "3", "isEnd": "true"},
		}, entries(t, client, activityTopic))
	})
}

// Written apart, this line would have grown over the limit: every \b takes six bytes when the subscriber writes it as JSON.
func TestPublishWritesLongLinesWhole(t *testing.T) {
	server := miniredis.RunT(t)
	long := `{"userId":"u1","duration":1,"title":"` + strings.Repeat(`\b`, 400) + `"}`
	got := call(t.Context(), strings.NewReader(long), "publish", "activity", "--format", "fields",
		"--redis.addr", server.Addr(), "--pipelines.activity.max_payload", "1KiB")
	require.Equal(t, 0, got.code, got.err)
	stream, err := server.Stream(activityTopic)
	require.NoError(t, err)
	require.Equal(t, []string{"payload", long}, stream[0].Values)
}

func TestPublishWritesWatermillsEnvelope(t *testing.T) {
	eachRedis(t, func(t *testing.T, addr string, client *goredis.Client) {
		undated := `{"userId":"u1","app":"Code","duration":1}`
		in := goodLine + "\n" + undated + "\n"
		for range 2 {
			got := call(t.Context(), strings.NewReader(in), "publish", "activity", "-", "--topic", "other", "--redis.addr", addr)
			require.Equal(t, 0, got.code, got.err)
		}
		found := entries(t, client, "other")
		require.Len(t, found, 4)
		uuids := map[any]int{}
		for n, entry := range found {
			require.Equal(t, []string{goodLine, undated}[n%2], entry["payload"])
			require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, entry["_watermill_message_uuid"])
			uuids[entry["_watermill_message_uuid"]]++
		}
		require.Equal(t, found[0]["_watermill_message_uuid"], found[2]["_watermill_message_uuid"], "a dated line is the same event again")
		require.Len(t, uuids, 3, "a line without a time is another event")
		require.Empty(t, entries(t, client, activityTopic))
	})
}

func TestWrongLinesAreReportedAndDoNotStopTheOthers(t *testing.T) {
	for _, test := range []struct{ name, line, wrong string }{
		{"not JSON", `userId=u1`, "the payload is not JSON"},
		{"cut off", `{"userId":"u1"`, "the payload is not JSON"},
		{"a list", `[]`, "the payload is not a JSON object"},
		{"no user", `{"app":"Code","duration":1}`, "userId is missing"},
		{"no content", `{"userId":"u1","duration":1}`, "app, title and url are all missing; one is required"},
		{"no duration", `{"userId":"u1","app":"Code"}`, "duration is missing"},
		{"a word for a duration", `{"userId":"u1","app":"Code","duration":"long"}`, `duration is "long", not a number`},
		{"too long a duration", `{"userId":"u1","app":"Code","duration":86401}`, "duration is 86401 seconds; it must lie between 0 and 86400"},
		{"NUL", `{"userId":"u1\u0000","app":"Code","duration":1}`, "userId contains the character U+0000"},
		{"not UTF-8", "{\"userId\":\"u\xff\",\"app\":\"Code\",\"duration\":1}", "the payload is not valid UTF-8"},
		{"an escape sequence", `{"userId":"u1","app":"Code","duration":"\u001b[2J\u202e"}`, `duration is "\x1b[2J\u202e", not a number`},
		{"an object in a field", `{"userId":{"id":1},"app":"Code","duration":1}`, "userId is an object or a list"},
		{"over the limit", `{"userId":"u1","app":"Code","duration":1,"title":"` + strings.Repeat("x", 2000) + `"}`, "the line has 2053 bytes; at most 1024 are allowed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := miniredis.RunT(t)
			in := goodLine + "\n\n" + test.line + "\r\n" + goodLine
			got := call(t.Context(), strings.NewReader(in), "publish", "activity", "--redis.addr", server.Addr(), "--pipelines.activity.max_payload", "1KiB")
			require.Equal(t, 1, got.code)
			require.Equal(t, "standard input:3: "+test.wrong+"\nleat: 1 wrong line of standard input was not published\n", got.err)
			require.Regexp(t, `^published 2, wrong 1 in `, got.out)
			stream, err := server.Stream(activityTopic)
			require.NoError(t, err)
			require.Len(t, stream, 2)
		})
	}
}

func TestUncheckedPublishesWrongLinesAsTheyAre(t *testing.T) {
	long := `{"userId":"u1","title":"` + strings.Repeat("x", 1<<20) + `"}`
	wrong := []string{"userId=u1", `{}`, `{"payload":"x"}`, `{"userId":"u1","_watermill_message_uuid":"x"}`, "\xff", long}
	for _, format := range []string{"fields", "watermill"} {
		eachRedis(t, func(t *testing.T, addr string, client *goredis.Client) {
			in := strings.Join(wrong, "\n") + "\n" + goodLine + "\n"
			got := call(t.Context(), strings.NewReader(in), "publish", "activity", "--unchecked", "--format", format, "--redis.addr", addr)
			require.Equal(t, 0, got.code, got.err)
			require.Regexp(t, `^published 7, wrong 6 in `, got.out)
			require.Equal(t, 6, strings.Count(got.err, "\n"), got.err)
			found := entries(t, client, activityTopic)
			require.Len(t, found, 7)
			for n, line := range wrong {
				require.Equal(t, line, found[n]["payload"])
			}
		})
	}
}

func TestDryRunNeedsNoRedis(t *testing.T) {
	withoutRedis(t)
	got := call(t.Context(), strings.NewReader("\uFEFF"+goodLine+"\n{}"), "publish", "activity", "--dry-run")
	require.Equal(t, 1, got.code)
	require.Regexp(t, `^would publish 1, wrong 1 in `, got.out)
	require.Contains(t, got.err, "standard input:2: userId is missing\n")
}

func TestPublishReadsFiles(t *testing.T) {
	server := miniredis.RunT(t)
	file := filepath.Join(t.TempDir(), "events.jsonl")
	var lines strings.Builder
	for n := range 1234 {
		fmt.Fprintf(&lines, `{"userId":"u%d","app":"Code","duration":1}`+"\n", n)
	}
	require.NoError(t, os.WriteFile(file, []byte(lines.String()+"oops\n"), 0o600))
	got := call(t.Context(), nil, "publish", "activity", file, "--format", "fields", "--redis.addr", server.Addr())
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, file+":1235: the payload is not JSON\n")
	stream, err := server.Stream(activityTopic)
	require.NoError(t, err)
	require.Len(t, stream, 1234)
	for n, entry := range stream {
		require.Equal(t, []string{"userId", "u" + strconv.Itoa(n)}, entry.Values[:2], "the order of the lines")
	}

	got = call(t.Context(), nil, "publish", "activity", file+".missing", "--redis.addr", server.Addr())
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "no such file")
}

func TestPublishRefusesWrongUsage(t *testing.T) {
	withoutRedis(t)
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"publish"}, "leat publish activity"},
		{[]string{"publish", "chat"}, "chat"},
		{[]string{"publish", "activity"}, "redis.addr is not set (REDIS_ADDR"},
		{[]string{"publish", "activity", "--format", "xml"}, `--format "xml": must be watermill or fields`},
		{[]string{"publish", "activity", "a", "b"}, "accepts at most 1 arg"},
		{[]string{"publish", "activity", "--fast"}, "unknown flag: --fast"},
	} {
		got := call(t.Context(), strings.NewReader(goodLine), test.args...)
		require.Equal(t, 2, got.code, "%v: %s", test.args, got.err)
		require.Contains(t, got.err, test.says)
		require.Empty(t, got.out)
	}
}

func TestPublishTellsHowFarItCameWhenTheBrokerIsAway(t *testing.T) {
	addr := unusedAddr(t)
	got := call(t.Context(), strings.NewReader(goodLine+"\n"+goodLine+"\n"), "publish", "activity", "--redis.addr", addr)
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "publishing failed at lines 1 to 2 of standard input (all, some or none of them arrived), after 0 that arrived:")
	require.Contains(t, got.err, "(check redis.addr and the credentials, and that it is running)")
	require.Regexp(t, `^published 0, wrong 0 in `, got.out)

	server := miniredis.RunT(t)
	in, feed := io.Pipe()
	done := make(chan called)
	go func() { done <- call(t.Context(), in, "publish", "activity", "--redis.addr", server.Addr()) }()
	writeTo(t, feed, goodLine+"\n")
	require.Eventually(t, func() bool { return streamed(server) == 1 }, 10*time.Second, time.Millisecond, "a line does not wait for others")
	server.Close()
	writeTo(t, feed, goodLine+"\n")
	require.NoError(t, feed.Close())
	got = <-done
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "publishing failed at lines 2 to 2 of standard input (all, some or none of them arrived), after 1 that arrived:")
}

func TestPublishStopsBetweenChunksWhenInterrupted(t *testing.T) {
	server := miniredis.RunT(t)
	ctx, interrupt := context.WithCancel(t.Context())
	in, feed := io.Pipe()
	defer func() { _ = feed.Close() }()
	done := make(chan called)
	go func() { done <- call(ctx, in, "publish", "activity", "--redis.addr", server.Addr()) }()
	writeTo(t, feed, goodLine+"\n"+goodLine+"\n")
	require.Eventually(t, func() bool { return streamed(server) == 2 }, 10*time.Second, time.Millisecond)
	interrupt() // while it waits for the third line
	got := <-done
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "interrupted after line 2 of standard input: the 2 lines published so far are complete")
	require.Regexp(t, `^published 2, wrong 0 in `, got.out)
}

func TestPublishReportsInputThatBreaksOff(t *testing.T) {
	server := miniredis.RunT(t)
	in := io.MultiReader(strings.NewReader(goodLine+"\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
	got := call(t.Context(), in, "publish", "activity", "--redis.addr", server.Addr())
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "reading ended after line 1, with 1 lines published: unexpected EOF")
}

func writeTo(t *testing.T, out io.Writer, text string) {
	t.Helper()
	_, err := io.WriteString(out, text)
	require.NoError(t, err)
}

func streamed(server *miniredis.Miniredis) int {
	entries, _ := server.Stream(activityTopic)
	return len(entries)
}

func withoutRedis(t *testing.T) {
	t.Helper()
	for _, name := range []string{"REDIS_ADDR", "LEAT_REDIS_ADDR"} {
		t.Setenv(name, "") // puts it back afterwards
		require.NoError(t, os.Unsetenv(name))
	}
}

func TestVisibleEscapesWhatATerminalWouldObey(t *testing.T) {
	for in, want := range map[string]string{
		"김서연 björn 👩‍💻 \"x\"\\": "김서연 björn 👩‍💻 \"x\"\\",
		"a\x1b[31mb\n":          `a\x1b[31mb\n`,
		"\u009b2J\u202eabc":     `\u009b2J\u202eabc`,
		"\xff\x00\u007f":        `\xff\x00\x7f`,
	} {
		require.Equal(t, want, visible(in))
		require.Regexp(t, regexp.MustCompile(`^[^\x00-\x1f\x7f]*$`), visible(in))
	}
}
