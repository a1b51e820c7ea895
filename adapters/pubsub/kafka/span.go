package kafka

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// span is a range of offsets, without its end.
type span struct{ from, to int64 }

const (
	// spanMark begins the metadata of a commit that tells spans.
	spanMark = "leat1:"
	// spanBytes is how long that metadata gets, at most; brokers take 4096 bytes (offset.metadata.max.bytes).
	spanBytes = 4000
)

// formatSpans writes spans that lie beyond a commit, in their order, as the metadata of that commit: from the committed offset on, how many are
// not done and how many are, in turn. Those that find no room are left out.
func formatSpans(commit int64, spans []span) string {
	if len(spans) == 0 {
		return ""
	}
	most := base64.RawURLEncoding.DecodedLen(spanBytes - len(spanMark))
	var told []byte
	for _, span := range spans {
		longer := binary.AppendUvarint(told, uint64(span.from-commit))
		longer = binary.AppendUvarint(longer, uint64(span.to-span.from))
		if len(longer) > most {
			break
		}
		told, commit = longer, span.to
	}
	return spanMark + base64.RawURLEncoding.EncodeToString(told)
}

// parseSpans reads what formatSpans wrote. Anything else tells nothing.
func parseSpans(commit int64, metadata string) (spans []span) {
	text, ours := strings.CutPrefix(metadata, spanMark)
	told, err := base64.RawURLEncoding.DecodeString(text)
	if !ours || err != nil {
		return nil
	}
	for len(told) > 0 {
		gap, n := binary.Uvarint(told)
		if n <= 0 {
			return nil
		}
		run, m := binary.Uvarint(told[n:])
		if m <= 0 || gap > 1<<40 || run == 0 || run > 1<<40 {
			return nil
		}
		from := commit + int64(gap)
		commit = from + int64(run)
		spans = append(spans, span{from, commit})
		told = told[n+m:]
	}
	return spans
}
