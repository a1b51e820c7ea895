package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"leat/handlers/fault"
)

const (
	readTimeout    = 30 * time.Second // for a body to arrive
	publishTimeout = 15 * time.Second // for its events to be published
)

// Ingest checks and publishes the events of a request, and returns what each is called, in their order. Unless the batch is unchecked, nothing is
// published when an event is wrong; the error is then a Mistakes. Other errors are of kind Unavailable when the events may be sent again
// later, with code CodeBusy when the broker holds back for the moment.
type Ingest func(ctx context.Context, batch Batch) (ids []string, err error)

// Batch is what a request sends.
type Batch struct {
	Events    [][]byte // a JSON value each; anything if they came one a line
	Unchecked bool     // wrong events are published too, as they are
	// Key is the Idempotency-Key of the request; may be empty. Events of two requests with one key are the same events.
	Key string
}

// CodeBusy is the code of errors that are answered with 429.
const CodeBusy = "busy"

// Mistakes is what is wrong with the events of a batch.
type Mistakes []Mistake

// Mistake is what is wrong with one event; Index counts from 0.
type Mistake struct {
	Index int
	Err   error
}

func (m Mistakes) Error() string { return strconv.Itoa(len(m)) + " events are wrong" }

// ingestion is the endpoint that takes events.
type ingestion struct {
	config Config
	token  [sha256.Size]byte
	take   Ingest
	slots  chan struct{}
	logger *slog.Logger
}

// Accept adds POST /v1/NAME, which takes events and publishes them through take. It is called before Serve.
func (s *Server) Accept(name string, take Ingest) {
	s.mux.Handle("POST /v1/"+name, &ingestion{
		config: s.config, token: sha256.Sum256([]byte(s.config.Token)), take: take,
		slots: s.slots, logger: s.logger,
	})
}

func (i *ingestion) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !i.admit(w, r) {
		return
	}
	select {
	case i.slots <- struct{}{}:
		defer func() { <-i.slots }()
	default:
		refuse(w, http.StatusTooManyRequests, "as many requests as http.max_ingest allows are being worked on; come back later")
		return
	}
	control := http.NewResponseController(w)
	began := time.Now()
	_ = control.SetReadDeadline(began.Add(readTimeout))
	_ = control.SetWriteDeadline(began.Add(readTimeout + 2*publishTimeout))
	found, err := readEvents(w, r, i.config.MaxBody, i.config.MaxEvents)
	if refused, ok := errors.AsType[*refusal](err); ok {
		refuse(w, refused.status, refused.detail)
		return
	}
	batch := Batch{Events: found.payloads, Key: r.Header.Get("Idempotency-Key")}
	if batch.Unchecked, err = flag(r, "unchecked"); err != nil || len(batch.Key) > longestKey {
		refuse(w, http.StatusBadRequest, "unchecked must be true or false, and the Idempotency-Key at most 255 bytes long")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), publishTimeout)
	defer cancel()
	ids, err := i.take(ctx, batch)
	if err != nil {
		i.fail(w, found, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(accepted{len(ids), ids})
}

// longestKey is the longest Idempotency-Key in bytes.
const longestKey = 255

// accepted is the body of a success.
type accepted struct {
	Accepted int      `json:"accepted"`
	IDs      []string `json:"ids"`
}

func flag(r *http.Request, name string) (bool, error) {
	value := r.URL.Query().Get(name)
	if value == "" {
		return false, nil
	}
	return strconv.ParseBool(value)
}

// admit reports whether the request presents the token; else it has answered. How long it takes does not tell how much of it is right.
func (i *ingestion) admit(w http.ResponseWriter, r *http.Request) bool {
	if i.config.Token == "" {
		refuse(w, http.StatusForbidden, "the endpoint is closed because no token is set: set http.token (LEAT_HTTP_TOKEN), at least 16 characters, and start leat again")
		return false
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if subtle.ConstantTimeCompare(given[:], i.token[:]) == 1 && strings.EqualFold(scheme, "Bearer") {
		return true
	}
	challenge, detail := `Bearer realm="leat"`, "send the token of http.token as Authorization: Bearer TOKEN"
	if token != "" {
		challenge, detail = challenge+`, error="invalid_token"`, "the token is not that of http.token"
	}
	w.Header().Set("WWW-Authenticate", challenge)
	refuse(w, http.StatusUnauthorized, detail)
	return false
}

// fail answers a batch that was not published, or not all of it.
func (i *ingestion) fail(w http.ResponseWriter, found events, err error) {
	if wrong, ok := errors.AsType[Mistakes](err); ok {
		answer := problem{Status: http.StatusUnprocessableEntity, Detail: "events are wrong, and nothing was published; ?unchecked=true publishes them as they are", Wrong: len(wrong)}
		for _, each := range wrong[:min(len(wrong), mostErrors)] {
			one := mistake{Index: each.Index, Detail: each.Err.Error()}
			if found.lines != nil {
				one.Line = found.lines[each.Index]
			}
			answer.Errors = append(answer.Errors, one)
		}
		answer.write(w)
		return
	}
	status := fault.KindOf(err).HTTPStatus()
	detail := "the events were not published, or not all of them: " + err.Error()
	switch {
	case fault.Of(err).Code == CodeBusy:
		status = http.StatusTooManyRequests
	case status == http.StatusServiceUnavailable:
		detail += "; send them again with the same Idempotency-Key"
	case status == http.StatusInternalServerError:
		i.logger.Error("events that came through HTTP were not published", "error", err)
		detail = "the events were not published, or not all of them; the log says why"
	}
	refuse(w, status, detail)
}
