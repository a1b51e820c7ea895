package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"leat/handlers/fault"
)

// remote sends lines to a running leat through HTTP.
type remote struct {
	client   *http.Client
	base     string // scheme, host and port; without credentials
	token    string
	patience time.Duration // how long a request is repeated that cannot be served yet
}

const (
	remotePatience = time.Minute
	remoteTimeout  = time.Minute // for one request
	remoteBytes    = 4 << 20     // a request that reaches this size takes no further line
	longestPause   = 10 * time.Second
)

// newRemote returns a sender for the leat at base, such as http://127.0.0.1:8080. Whoever calls it closes it.
func newRemote(base, token string) (*remote, error) {
	at, err := url.Parse(base)
	switch {
	case err != nil, at.Scheme != "http" && at.Scheme != "https", at.Host == "", at.RawQuery != "", at.Fragment != "":
		return nil, usagef("--url must be the address of a running leat, such as http://127.0.0.1:8080")
	case at.User != nil:
		return nil, usagef("--url must not contain credentials; the token goes into http.token (LEAT_HTTP_TOKEN)")
	case token == "":
		return nil, usagef("http.token is not set (LEAT_HTTP_TOKEN, or http.token in leat.yaml): set it to the token of the leat that runs at %s", base)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ExpectContinueTimeout: time.Second, TLSHandshakeTimeout: 10 * time.Second,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, IdleConnTimeout: time.Minute}
	return &remote{
		base: strings.TrimRight(base, "/"), token: token, patience: remotePatience,
		client: &http.Client{Transport: transport, Timeout: remoteTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the token is for nobody else
		}},
	}, nil
}

// localURL is where a leat of this configuration listens, seen from the same machine.
func localURL(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("http.addr: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}

func (r *remote) Close() error {
	r.client.CloseIdleConnections()
	return nil
}

// send returns a sender of lines to a pipeline. The end of ctx ends the wait of a request that is to be repeated, and the request.
func (r *remote) send(ctx context.Context, pipeline string) func([]outgoing) error {
	return func(lines []outgoing) error {
		for len(lines) > 0 {
			n, size := 0, 0
			for n < len(lines) && (n == 0 || size+len(lines[n].payload) < remoteBytes) {
				size += len(lines[n].payload)
				n++
			}
			if err := r.deliver(ctx, pipeline, lines[:n]); err != nil {
				return err
			}
			lines = lines[n:]
		}
		return nil
	}
}

// deliver sends lines in one request, and repeats it while leat cannot serve it or its answer does not arrive. The repeats
// bear one key, so that they carry the same events.
func (r *remote) deliver(ctx context.Context, pipeline string, lines []outgoing) error {
	key := watermill.NewUUID()
	began := time.Now()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, longestPause) {
		after, err := r.post(ctx, pipeline, key, lines)
		if err == nil {
			return nil
		}
		wait := max(after, pause)
		if after < 0 || ctx.Err() != nil || time.Since(began)+wait > r.patience {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return err
		}
	}
}

// never is the pause after which a request may be repeated that may not be.
const never time.Duration = -1

// post makes one request. With an error it returns how long to wait before the next, or never.
func (r *remote) post(ctx context.Context, pipeline, key string, lines []outgoing) (time.Duration, error) {
	var body bytes.Buffer
	query := ""
	for _, line := range lines {
		body.Write(line.payload)
		body.WriteByte('\n')
		if line.wrong {
			query = "?unchecked=true"
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+"/v1/"+pipeline+query, &body)
	if err != nil {
		return never, err
	}
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("Authorization", "Bearer "+r.token)
	request.Header.Set("Idempotency-Key", key)
	request.Header.Set("Expect", "100-continue") // a refused body need not be sent
	response, err := r.client.Do(request)
	if err != nil {
		return r.unanswered(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if response.StatusCode == http.StatusAccepted {
		return r.confirmed(answer, err, len(lines))
	}
	return r.refused(response, answer, pipeline)
}

// unanswered judges a request without an answer.
func (r *remote) unanswered(err error) (time.Duration, error) {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return never, fault.Unavailablef("is leat run running at %s? %w", r.base, err)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return never, fault.Unavailablef("%s cannot be found: %w", r.base, err)
	}
	return 0, fault.Unavailablef("no answer of leat at %s: %w", r.base, err)
}

// confirmed judges the answer to a request that was accepted.
func (r *remote) confirmed(answer []byte, err error, sent int) (time.Duration, error) {
	var body struct{ Accepted int }
	if err == nil {
		err = json.Unmarshal(answer, &body)
	}
	if err != nil {
		return 0, fault.Unavailablef("the answer of leat at %s broke off: %w", r.base, err)
	}
	if body.Accepted != sent {
		return never, fmt.Errorf("leat at %s accepted %d of %d lines", r.base, body.Accepted, sent)
	}
	return 0, nil
}

// refused judges an answer that is no success.
func (r *remote) refused(response *http.Response, answer []byte, pipeline string) (time.Duration, error) {
	said := detailOf(response, answer)
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		after := min(time.Duration(max(0, seconds))*time.Second, r.patience)
		return after, fault.Unavailablef("leat at %s cannot take the lines now: %s", r.base, said)
	case http.StatusUnauthorized:
		return never, fmt.Errorf("leat at %s refuses the token: set http.token (LEAT_HTTP_TOKEN) to the one it was started with", r.base)
	case http.StatusForbidden:
		return never, fmt.Errorf("leat at %s takes no events: %s", r.base, said)
	case http.StatusNotFound:
		return never, fmt.Errorf("leat at %s takes no events of pipeline %s: it is not enabled there, or that is no leat", r.base, pipeline)
	}
	return never, fmt.Errorf("leat at %s refuses the lines: %s", r.base, said)
}

// detailOf is what an answer says went wrong, fit for a terminal.
func detailOf(response *http.Response, answer []byte) string {
	var said struct {
		Detail string
		Errors []struct {
			Line   int
			Detail string
		}
	}
	if json.Unmarshal(answer, &said) != nil || said.Detail == "" {
		return response.Status
	}
	if len(said.Errors) > 0 {
		return visible(fmt.Sprintf("%s: %s (the first: line %d of the request: %s)", response.Status, said.Detail, said.Errors[0].Line, said.Errors[0].Detail))
	}
	return visible(response.Status + ": " + said.Detail)
}
