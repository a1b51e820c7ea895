package app

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// visible makes text that came from outside fit for one line of a terminal: control characters, characters that change the
// direction of the text, and bytes that are not UTF-8 are shown as Go escapes them. Letters of all languages and emoji stay.
func visible(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		broken := r == utf8.RuneError && size == 1
		if !broken && (strconv.IsPrint(r) || r == joiner || r == nonJoiner) {
			b.WriteString(s[:size])
		} else {
			quoted := strconv.Quote(s[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}

// Within emoji and words, these two belong to the letters.
const joiner, nonJoiner = '\u200d', '\u200c'
