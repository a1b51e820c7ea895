package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is a leat that runs.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	out    output // standard output
	log    output // standard error
	exited chan struct{}
}

// output collects what a process writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail returns the last lines.
func (o *output) tail(n int) string {
	lines := strings.Split(strings.TrimRight(o.String(), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// command returns a leat that sees nothing of the environment of the tests but what is given.
func command(t testing.TB, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir}, env...)
	return cmd
}

// launch starts a leat, which is killed at the end of the test. Its log is shown if the test fails.
func launch(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: command(t, env, args...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.log
	require.NoError(t, p.cmd.Start())
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("leat %s (pid %d), %s; the end of its log:\n%s", strings.Join(args, " "), p.cmd.Process.Pid, p.cmd.ProcessState, p.log.tail(40))
		}
	})
	return p
}

// running waits until leat says that it runs.
func (p *process) running() *process {
	p.t.Helper()
	p.logged("msg=running", 1, 30*time.Second)
	return p
}

// logged waits until the log holds a text so many times.
func (p *process) logged(text string, times int, timeout time.Duration) {
	p.t.Helper()
	until(p.t, timeout, func() bool {
		return strings.Count(p.log.String(), text) >= times || p.ended()
	}, func() string { return strconv.Quote(text) + " in the log:\n" + p.log.tail(20) })
	if strings.Count(p.log.String(), text) < times {
		p.t.Fatalf("leat ended (%s) before its log said %q %d times:\n%s", p.cmd.ProcessState, text, times, p.log.tail(20))
	}
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// kill ends the process as kill -9 does, and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// wait waits for the end of the process and returns its exit code, -1 if a signal ended it.
func (p *process) wait(timeout time.Duration) int {
	p.t.Helper()
	until(p.t, timeout, p.ended, func() string { return "leat ends; its log:\n" + p.log.tail(20) })
	return p.cmd.ProcessState.ExitCode()
}

// terminate sends SIGTERM and expects a clean end.
func (p *process) terminate() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	require.Equal(p.t, 0, p.wait(30*time.Second), "exit code after SIGTERM; the log:\n%s", p.log.tail(20))
}

var httpAddr = regexp.MustCompile(`msg=running .*\bhttp=(\S+)`)

// http returns the address of health and metrics.
func (p *process) http() string {
	p.t.Helper()
	found := httpAddr.FindStringSubmatch(p.log.String())
	require.NotNil(p.t, found, "the log names no HTTP address")
	return found[1]
}

// metric reads one sample of /metrics, 0 if there is none.
func (p *process) metric(sample string) float64 {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+p.http()+"/metrics", nil)
	require.NoError(p.t, err)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, sample+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			require.NoError(p.t, err)
			return n
		}
	}
	return 0
}

// result is what a command left.
type result struct {
	code     int
	out, err string
	took     time.Duration
}

// leat runs a command to its end, which must come within a minute.
func leat(t testing.TB, env []string, input string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := command(t, env, args...)
	var out, errOut output
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errOut
	began := time.Now()
	require.NoError(t, cmd.Start())
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		require.NoError(t, err)
	}
	require.NoError(t, ctx.Err(), "leat %v did not end; it said:\n%s%s", args, out.tail(20), errOut.tail(20))
	return result{code: cmd.ProcessState.ExitCode(), out: out.String(), err: errOut.String(), took: time.Since(began)}
}
