package pattern

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// isASCII reports whether s has no byte above 0x7f.
func isASCII(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		if (s[0]|s[1]|s[2]|s[3]|s[4]|s[5]|s[6]|s[7])&0x80 != 0 {
			return false
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// appendFolded appends s in the form in which names and titles are compared: NFKC (so that macOS's decomposed
// Hangul and full-width letters equal their usual forms), lower case, without invisible format characters
// (WhatsApp and Edge put such into their names). Invalid UTF-8 becomes spaces. ASCII input is only lowered.
func appendFolded(dst []byte, s string) []byte {
	if isASCII(s) {
		from := len(dst)
		dst = append(dst, s...)
		for i, c := range dst[from:] {
			dst[from+i] = lowerASCII(c)
		}
		return dst
	}
	if !norm.NFKC.IsNormalString(s) {
		// A trademark sign would become the letters "tm".
		s = norm.NFKC.String(strings.ReplaceAll(s, "™", " "))
	}
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		switch {
		case r == utf8.RuneError:
			dst = append(dst, ' ')
		case r < utf8.RuneSelf:
			dst = append(dst, lowerASCII(byte(r)))
		case unspaced(r):
			dst = append(dst, s[i-size:i]...)
		case !unicode.Is(unicode.Cf, r):
			dst = utf8.AppendRune(dst, unicode.ToLower(unicode.ToUpper(r)))
		}
	}
	return dst
}

// unspaced reports whether r belongs to a script that sets words or particles beside each other without a space:
// Hangul, Han, Kana.
func unspaced(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x11ff, 0x2e80 <= r && r <= 0x9fff, 0xa960 <= r && r <= 0xa97f:
		return true
	default:
		return 0xac00 <= r && r <= 0xd7ff || 0xf900 <= r && r <= 0xfaff || 0x20000 <= r && r <= 0x3ffff
	}
}

// wordASCII reports whether c is an ASCII letter or digit, which is what words are made of.
func wordASCII(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || isDigit(c) }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// wordRune reports whether r continues a word that is written with spaces around it.
func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return wordASCII(byte(r))
	}
	return !unspaced(r) && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}
