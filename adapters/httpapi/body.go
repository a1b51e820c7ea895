package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// events are those of a body, in its order.
type events struct {
	payloads [][]byte
	lines    []int // the line of each; nil if the body is not one event a line
}

// refusal is a request that cannot be understood, and the status that says so.
type refusal struct {
	status int
	detail string
}

func (r *refusal) Error() string { return r.detail }

// readEvents reads a body of at most maxBody bytes and maxEvents events. Errors are refusals.
func readEvents(w http.ResponseWriter, r *http.Request, maxBody int64, maxEvents int) (events, error) {
	lines, err := byLine(r.Header.Get("Content-Type"))
	if err != nil {
		return events{}, err
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return events{}, &refusal{http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Encoding %q is not understood; send the body as it is", encoding)}
	}
	tooLarge := &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d bytes (http.max_body); send fewer events at a time", maxBody)}
	if r.ContentLength > maxBody {
		return events{}, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return events{}, tooLarge
		}
		return events{}, &refusal{http.StatusBadRequest, "the body did not arrive whole"}
	}
	split := splitJSON
	if lines {
		split = splitLines
	}
	found, err := split(body, maxEvents)
	if err == nil && len(found.payloads) == 0 {
		err = &refusal{http.StatusBadRequest, "the body holds no event"}
	}
	return found, err
}

// byLine reports whether a body of that type has one event a line.
func byLine(contentType string) (bool, error) {
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case contentType == "" || err == nil && media == "application/json":
		return false, nil
	case err == nil && (media == "application/x-ndjson" || media == "application/jsonl"):
		return true, nil
	}
	return false, &refusal{http.StatusUnsupportedMediaType,
		fmt.Sprintf("Content-Type %q is not understood; use application/json for an object or an array of objects, application/x-ndjson for one object a line", contentType)}
}

func tooMany(most int) error {
	return &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body has more than %d events (http.max_events); send fewer at a time", most)}
}

// splitLines takes a body apart into its lines without looking into them; empty ones are no events.
func splitLines(body []byte, most int) (found events, err error) {
	number := 0
	for text := range bytes.Lines(bytes.TrimPrefix(body, []byte("\uFEFF"))) {
		number++
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			continue
		}
		if len(found.payloads) == most {
			return events{}, tooMany(most)
		}
		found.payloads, found.lines = append(found.payloads, text), append(found.lines, number)
	}
	return found, nil
}

// splitJSON takes a JSON array apart into its elements, which keep their text; any other JSON value is the only event.
func splitJSON(body []byte, most int) (found events, err error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\uFEFF")))
	if len(body) == 0 {
		return events{}, nil
	}
	if body[0] != '[' {
		if err := valid(body); err != nil {
			return events{}, err
		}
		return events{payloads: [][]byte{body}}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	_, err = decoder.Token()
	for err == nil && decoder.More() {
		if len(found.payloads) == most { // before the others take memory, which tiny ones do many times over
			return events{}, tooMany(most)
		}
		var element json.RawMessage
		if err = decoder.Decode(&element); err == nil {
			found.payloads = append(found.payloads, element)
		}
	}
	if err == nil {
		_, err = decoder.Token()
	}
	if err == nil && decoder.InputOffset() < int64(len(body)) {
		err = errors.New("there is more behind the array")
	}
	if err != nil {
		return events{}, notJSON(err)
	}
	return found, nil
}

func valid(body []byte) error {
	var value json.RawMessage
	if err := json.Unmarshal(body, &value); err != nil {
		return notJSON(err)
	}
	return nil
}

func notJSON(err error) error {
	at := ""
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		at = fmt.Sprintf(" at byte %d", syntax.Offset)
	}
	return &refusal{http.StatusBadRequest, fmt.Sprintf("the body is not JSON%s: %s; one object a line needs Content-Type: application/x-ndjson", at, err)}
}
