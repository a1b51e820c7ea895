package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

const token = "0123456789abcdef"

// taker is an Ingest that keeps what it is given. It finds events wrong that contain "wrong".
type taker struct {
	batches []Batch
	err     error
	block   chan struct{} // nil: it does not wait
	entered chan struct{}
	mu      sync.Mutex
}

func (k *taker) take(ctx context.Context, batch Batch) ([]string, error) {
	if k.block != nil {
		k.entered <- struct{}{}
		select {
		case <-k.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	var mistakes Mistakes
	var ids []string
	for n, event := range batch.Events {
		if bytes.Contains(event, []byte("wrong")) && !batch.Unchecked {
			mistakes = append(mistakes, Mistake{n, errors.New("it is wrong")})
		}
		ids = append(ids, fmt.Sprint("id", n))
	}
	switch {
	case len(mistakes) > 0:
		return nil, mistakes
	case k.err != nil:
		return nil, k.err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.batches = append(k.batches, batch)
	return ids, nil
}

// serving starts a server that ends with the test, and returns its address and its log.
func serving(t *testing.T, config Config, take Ingest) (string, *bytes.Buffer) {
	t.Helper()
	config.Addr = "127.0.0.1:0"
	var log bytes.Buffer
	server, err := Listen(config, prometheus.NewRegistry(), nil, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	server.Accept("activity", take)
	server.Serve()
	t.Cleanup(func() { require.NoError(t, server.Close(context.WithoutCancel(t.Context()))) })
	return server.Addr(), &log
}

func open() Config { return Config{Token: token, MaxBody: 1024, MaxEvents: 5, MaxIngest: 2} }

// post sends a body with the right token, unless the header says otherwise.
func post(t *testing.T, addr, path, body string, header ...string) (reply, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	for n := 0; n < len(header); n += 2 {
		request.Header.Set(header[n], header[n+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return reply{response.StatusCode, response.Header}, string(answer)
}

// reply is what an answer says beside its body.
type reply struct {
	StatusCode int
	Header     http.Header
}

func TestIngestTakesEvents(t *testing.T) {
	const lines = "application/x-ndjson"
	for name, test := range map[string]struct {
		path, kind, body string
		want             []string
		unchecked        bool
	}{
		"one object":                {body: ` {"a":1} `, kind: "application/json", want: []string{`{"a":1}`}},
		"without a type":            {body: `{"a":1}`, want: []string{`{"a":1}`}},
		"an array, each as it came": {body: `[{"a": 1.50}, {"b":"\u00fc"},3]`, kind: "application/json; charset=utf-8", want: []string{`{"a": 1.50}`, `{"b":"\u00fc"}`, `3`}},
		"a byte order mark":         {body: "\uFEFF[{}]", kind: "application/json", want: []string{`{}`}},
		"lines":                     {body: "\uFEFF{\"a\":1}\r\n\n  \n{\"b\":2}", kind: lines, want: []string{`{"a":1}`, `{"b":2}`}},
		"lines by another name":     {body: "{}\n{}\n", kind: "application/jsonl", want: []string{`{}`, `{}`}},
		"as many as are allowed":    {body: "1\n2\n3\n4\n5\n", kind: lines, want: []string{"1", "2", "3", "4", "5"}},
		"wrong ones, unchecked":     {path: "?unchecked=true", body: "wrong\n{", kind: lines, want: []string{"wrong", "{"}, unchecked: true},
		"checked, expressly":        {path: "?unchecked=false", body: "{}", want: []string{"{}"}},
	} {
		t.Run(name, func(t *testing.T) {
			var taken taker
			addr, _ := serving(t, open(), taken.take)
			response, answer := post(t, addr, "/v1/activity"+test.path, test.body, "Content-Type", test.kind, "Idempotency-Key", "k1")
			require.Equal(t, http.StatusAccepted, response.StatusCode, answer)
			require.Equal(t, "application/json", response.Header.Get("Content-Type"))
			var got accepted
			require.NoError(t, json.Unmarshal([]byte(answer), &got))
			require.Equal(t, len(test.want), got.Accepted)
			require.Len(t, got.IDs, len(test.want))
			require.Equal(t, "id0", got.IDs[0])
			require.Len(t, taken.batches, 1)
			var events []string
			for _, event := range taken.batches[0].Events {
				events = append(events, string(event))
			}
			require.Equal(t, test.want, events)
			require.Equal(t, test.unchecked, taken.batches[0].Unchecked)
			require.Equal(t, "k1", taken.batches[0].Key)
		})
	}
}

func TestIngestRefuses(t *testing.T) {
	const lines = "application/x-ndjson"
	closed := open()
	closed.Token = ""
	for name, test := range map[string]struct {
		config     Config
		path, body string
		header     []string
		fails      error
		status     int
		says       []string
		has        map[string]string // headers
	}{
		"no token configured": {config: closed, body: "{}", status: 403, says: []string{"http.token (LEAT_HTTP_TOKEN)", "16 characters"}},
		"an empty token where none is configured": {config: closed, body: "{}", header: []string{"Authorization", "Bearer "}, status: 403,
			says: []string{"set http.token"}},
		"no token": {body: "{}", header: []string{"Authorization", ""}, status: 401, says: []string{"Authorization: Bearer TOKEN"},
			has: map[string]string{"Www-Authenticate": `Bearer realm="leat"`}},
		"a wrong token": {body: "{}", header: []string{"Authorization", "Bearer " + token + "x"}, status: 401,
			has: map[string]string{"Www-Authenticate": `Bearer realm="leat", error="invalid_token"`}},
		"a part of the token": {body: "{}", header: []string{"Authorization", "Bearer " + token[:15]}, status: 401},
		"another scheme":      {body: "{}", header: []string{"Authorization", "Basic " + token}, status: 401},
		"another type":        {body: "a=1", header: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415, says: []string{"application/x-ndjson"}},
		"compressed":          {body: "{}", header: []string{"Content-Encoding", "gzip"}, status: 415, says: []string{"gzip"}},
		"nothing":             {body: "", status: 400, says: []string{"no event"}},
		"empty lines":         {body: "\n \n", header: []string{"Content-Type", lines}, status: 400, says: []string{"no event"}},
		"an empty array":      {body: "[]", status: 400, says: []string{"no event"}},
		"no JSON":             {body: `{"a":1`, status: 400, says: []string{"not JSON at byte 6"}},
		"lines as JSON":       {body: "{}\n{}", status: 400, says: []string{"at byte 4", "application/x-ndjson"}},
		"half an array":       {body: `[{},{`, status: 400, says: []string{"not JSON"}},
		"no flag":             {path: "?unchecked=perhaps", body: "{}", status: 400, says: []string{"unchecked must be true or false"}},
		"an endless key":      {body: "{}", header: []string{"Idempotency-Key", strings.Repeat("x", 256)}, status: 400, says: []string{"255 bytes"}},
		"too large":           {body: `"` + strings.Repeat("x", 1023) + `"`, status: 413, says: []string{"more than 1024 bytes (http.max_body)"}},
		"too many lines":      {body: "1\n2\n3\n4\n5\n6", header: []string{"Content-Type", lines}, status: 413, says: []string{"more than 5 events (http.max_events)"}},
		"too many elements":   {body: "[1,2,3,4,5,6]", status: 413, says: []string{"more than 5 events"}},
		"wrong lines": {body: "{}\n\nwrong\n{}\nwrong", header: []string{"Content-Type", lines}, status: 422,
			says: []string{`"wrong":2,"errors":[{"index":1,"line":3,"detail":"it is wrong"},{"index":3,"line":5,"detail":"it is wrong"}]`, "?unchecked=true"}},
		"wrong elements": {body: `[{},"wrong"]`, status: 422, says: []string{`"wrong":1,"errors":[{"index":1,"detail":"it is wrong"}]`}},
		"a full broker": {body: "{}", fails: &fault.Error{Kind: fault.Unavailable, Code: CodeBusy, Err: errors.New("the topic is full")}, status: 429,
			says: []string{"the topic is full"}, has: map[string]string{"Retry-After": "1"}},
		"no broker": {body: "{}", fails: fault.Unavailablef("connection refused"), status: 503, says: []string{"connection refused", "the same Idempotency-Key"},
			has: map[string]string{"Retry-After": "1"}},
		"a stop":            {body: "{}", fails: context.Canceled, status: 503},
		"a bug":             {body: "{}", fails: errors.New("internals"), status: 500, says: []string{"the log says why"}},
		"an event too much": {body: "{}", fails: fault.Invalidf("too_large", "it is larger than the broker takes"), status: 422, says: []string{"larger than the broker takes"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.config == (Config{}) {
				test.config = open()
			}
			taken := taker{err: test.fails}
			addr, log := serving(t, test.config, taken.take)
			response, answer := post(t, addr, "/v1/activity"+test.path, test.body, test.header...)
			require.Equal(t, test.status, response.StatusCode, answer)
			require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
			var got problem
			require.NoError(t, json.Unmarshal([]byte(answer), &got))
			require.Equal(t, test.status, got.Status)
			require.Equal(t, http.StatusText(test.status), got.Title)
			for _, says := range test.says {
				require.Contains(t, answer, strings.ReplaceAll(says, "<", `\u003c`))
			}
			for name, value := range test.has {
				require.Equal(t, value, response.Header.Get(name))
			}
			require.Empty(t, taken.batches, "nothing is published")
			require.NotContains(t, answer+log.String(), token[:15])
			if test.status == 500 {
				require.NotContains(t, answer, "internals")
				require.Contains(t, log.String(), "internals")
			}
		})
	}
}

// Only the first 100 of many mistakes are named.
func TestIngestNamesTheFirstMistakes(t *testing.T) {
	config := open()
	config.MaxBody, config.MaxEvents = 1<<20, 1000
	addr, _ := serving(t, config, new(taker).take)
	response, answer := post(t, addr, "/v1/activity", strings.Repeat("wrong\n", 500), "Content-Type", "application/x-ndjson")
	require.Equal(t, http.StatusUnprocessableEntity, response.StatusCode)
	var got problem
	require.NoError(t, json.Unmarshal([]byte(answer), &got))
	require.Equal(t, 500, got.Wrong)
	require.Len(t, got.Errors, 100)
}

// A body whose length nobody announced is bounded too.
func TestIngestBoundsAStream(t *testing.T) {
	addr, _ := serving(t, open(), new(taker).take)
	in, out := io.Pipe()
	go func() {
		for {
			if _, err := io.WriteString(out, strings.Repeat("x", 512)+"\n"); err != nil {
				return
			}
		}
	}()
	defer func() { _ = in.Close() }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/v1/activity", in)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusRequestEntityTooLarge, response.StatusCode)
}

// A body that breaks off is not published.
func TestIngestRefusesABodyThatBreaksOff(t *testing.T) {
	var taken taker
	addr, _ := serving(t, open(), taken.take)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /v1/activity HTTP/1.1\r\nHost: leat\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-ndjson\r\nContent-Length: 10\r\n\r\n{}\n", token)
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "400 Bad Request")
	require.Empty(t, taken.batches)
}

// As many requests as are allowed are worked on; health is answered all the same, and the next one when there is room again.
func TestIngestIsBounded(t *testing.T) {
	taken := taker{block: make(chan struct{}), entered: make(chan struct{}, 3)}
	addr, _ := serving(t, open(), taken.take)
	statuses := make(chan int, 2)
	for range 2 {
		go func() {
			request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/v1/activity", strings.NewReader("{}"))
			request.Header.Set("Authorization", "Bearer "+token)
			response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
			if err != nil {
				statuses <- 0
				return
			}
			_ = response.Body.Close()
			statuses <- response.StatusCode
		}()
		<-taken.entered
	}
	response, answer := post(t, addr, "/v1/activity", "{}")
	require.Equal(t, http.StatusTooManyRequests, response.StatusCode)
	require.Equal(t, "1", response.Header.Get("Retry-After"))
	require.Contains(t, answer, "http.max_ingest")
	response, _ = post(t, addr, "/v1/activity", "{}", "Authorization", "")
	require.Equal(t, http.StatusUnauthorized, response.StatusCode, "strangers do not learn that")
	alive, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/livez", nil)
	require.NoError(t, err)
	health, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(alive)
	require.NoError(t, err)
	require.NoError(t, health.Body.Close())
	require.Equal(t, http.StatusOK, health.StatusCode)
	close(taken.block)
	require.Equal(t, []int{202, 202}, []int{<-statuses, <-statuses})
	response, _ = post(t, addr, "/v1/activity", "{}")
	require.Equal(t, http.StatusAccepted, response.StatusCode)
}

// A client that goes away ends its request.
func TestIngestEndsWithItsClient(t *testing.T) {
	ended := make(chan error, 1)
	entered := make(chan struct{})
	addr, _ := serving(t, open(), func(ctx context.Context, _ Batch) ([]string, error) {
		close(entered)
		<-ctx.Done()
		ended <- ctx.Err()
		return nil, ctx.Err()
	})
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-entered; leave() }()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/v1/activity", strings.NewReader("{}"))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err == nil {
		_ = response.Body.Close()
	}
	require.ErrorIs(t, err, context.Canceled)
	select {
	case err := <-ended:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(10 * time.Second):
		t.Fatal("the request goes on")
	}
}

func TestTokensAreChecked(t *testing.T) {
	for given, says := range map[string]string{
		"": "", token: "", "short": "at least 16 characters", "0123456789abcdef g": "ASCII", "0123456789abcdefü": "ASCII",
	} {
		var problems []string
		Config{Token: given}.Validate(func(key, problem string) {
			require.Equal(t, "token", key)
			if given != "" {
				require.NotContains(t, problem, given)
			}
			problems = append(problems, problem)
		})
		if says == "" {
			require.Empty(t, problems)
		} else {
			require.Len(t, problems, 1)
			require.Contains(t, problems[0], says)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"{}", "[{},{}]", "[", "\uFEFF", "a\nb\n", "[[1,2],3]", " [ ] ", "nul", "\xff"} {
		f.Add([]byte(seed))
	}
	const most = 3
	f.Fuzz(func(t *testing.T, body []byte) {
		found, err := splitLines(body, most)
		require.True(t, err != nil || len(found.payloads) <= most && len(found.lines) == len(found.payloads))
		for n, payload := range found.payloads {
			require.NotEmpty(t, payload)
			require.NotContains(t, string(payload), "\n")
			require.True(t, n == 0 || found.lines[n] > found.lines[n-1])
		}
		found, err = splitJSON(body, most)
		require.True(t, err != nil || len(found.payloads) <= most)
		for _, payload := range found.payloads {
			require.True(t, json.Valid(payload), "%q", payload)
		}
	})
}

// An array of more events than are allowed is refused before it takes many times its size in memory.
func TestIngestArrayOfTooMany(t *testing.T) {
	body := []byte("[0" + strings.Repeat(",0", 1<<20) + "]")
	allocated := testing.AllocsPerRun(1, func() {
		_, err := splitJSON(body, 5)
		require.ErrorContains(t, err, "more than 5 events")
	})
	require.Less(t, allocated, 1000.0)
}

func TestIngestArrayMalformed(t *testing.T) {
	for _, body := range []string{"[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1] 2", "[1}", "[nul]", "[{]"} {
		_, err := splitJSON([]byte(body), 5)
		var refused *refusal
		require.ErrorAs(t, err, &refused, body)
		require.Equal(t, http.StatusBadRequest, refused.status, body)
	}
}
