package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// problem is the body of an answer that is no success: application/problem+json, RFC 9457. The type is about:blank, so the title is
// that of the status.
type problem struct {
	Title  string    `json:"title"`
	Status int       `json:"status"`
	Detail string    `json:"detail"`
	Wrong  int       `json:"wrong,omitempty"`  // events that are wrong
	Errors []mistake `json:"errors,omitempty"` // the first of them
}

// mistake is what is wrong with one event of the body. Index counts events from 0; Line counts lines of the body from 1 and is only there
// if the body has one event a line.
type mistake struct {
	Index  int    `json:"index"`
	Line   int    `json:"line,omitempty"`
	Detail string `json:"detail"`
}

// mostErrors is how many mistakes an answer names.
const mostErrors = 100

// retryAfter is what clients are told who come back later.
const retryAfter = time.Second

func refuse(w http.ResponseWriter, status int, detail string) {
	problem{Status: status, Detail: detail}.write(w)
}

func (p problem) write(w http.ResponseWriter) {
	p.Title = http.StatusText(p.Status)
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
