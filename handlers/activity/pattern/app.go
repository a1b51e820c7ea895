package pattern

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Modes of an app pattern, the strictest first.
const (
	appExact  uint8 = iota // =name: the whole name, whatever its version
	appWords               // name: the name, or its first words
	appPrefix              // name*: its first letters
)

// maxApp is how many bytes of an app's name are looked at; no pattern is longer.
const maxApp = maxPattern

// apps finds app patterns by longest prefix.
type apps struct{ trie }

// normaliseApp splits a pattern into its key and mode.
func normaliseApp(pattern string) (string, uint8) {
	pattern = strings.TrimSpace(pattern)
	mode := appWords
	if rest, ok := strings.CutPrefix(pattern, "="); ok {
		pattern, mode = rest, appExact
	} else if rest, ok := strings.CutSuffix(pattern, "*"); ok {
		pattern, mode = rest, appPrefix
	}
	return string(parseApp(nil, pattern).key), mode
}

// find returns the entry that decides an app: one that covers the whole name before one that covers its start,
// then the longer one.
func (a *apps) find(app string) *entry {
	if app == "" || len(a.entries) == 0 {
		return nil
	}
	var buf [maxApp]byte
	name := parseApp(buf[:0], app)
	best, whole := a.walk(name.key, name.end)
	for _, at := range name.starts[:name.parts] {
		start := min(int(at), len(name.key))
		e, all := a.walk(name.key[start:], name.end-start)
		if e != nil && (best == nil || all && !whole || all == whole && len(e.key) > len(best.key)) {
			best, whole = e, all
		}
	}
	return best
}

// walk follows a name from its start. It returns the best entry on the way and whether it covers all of the name
// but the version, which starts at end.
func (a *apps) walk(key []byte, end int) (best *entry, whole bool) {
	at := int32(0)
	for i := 0; i < len(key); i++ {
		at = a.next(at, key[i])
		if at == 0 {
			break
		}
		if a.nodes[at].ends == 0 {
			continue
		}
		atWord := boundary(key, i+1)
		all := atWord && i+1 >= end
		if whole && !all {
			continue
		}
		ends := a.endsAt(at)
		for k := range ends {
			if m := ends[k].mode; m == appPrefix || atWord && (m == appWords || all) {
				best, whole = &ends[k], all
				break
			}
		}
	}
	return best, whole
}

// boundary reports whether a word ends before key[i]: at a space, where letters meet a script without spaces, or
// where only a version number follows in the word ("idea64", "teams2", but not "code2flow").
func boundary(key []byte, i int) bool {
	if i == len(key) || key[i] == ' ' {
		return true
	}
	if gluedVersion(key, i) {
		for ; i < len(key) && isDigit(key[i]); i++ {
		}
		return i == len(key) || key[i] == ' '
	}
	if key[i] < utf8.RuneSelf && key[i-1] < utf8.RuneSelf {
		return false
	}
	before, _ := utf8.DecodeLastRune(key[:i])
	after, _ := utf8.DecodeRune(key[i:])
	return unspaced(before) != unspaced(after)
}

// gluedVersion reports whether a digit follows at least three letters, or one of a script without spaces: with
// fewer letters it is part of the name ("x3270", "mp3").
func gluedVersion(key []byte, i int) bool {
	if !isDigit(key[i]) || isDigit(key[i-1]) || key[i-1] == ' ' {
		return false
	}
	letters := i - 1 - bytes.LastIndexByte(key[:i], ' ')
	return letters >= 3 // a Hangul syllable has three bytes
}

// appName is the normalised name of an app: folded, without path and file ending, its words parted by one space.
type appName struct {
	key    []byte
	end    int      // where the version starts
	starts [6]int16 // of a reverse-DNS identifier: where each part after the first begins in key
	parts  int
}

// parseApp normalises a name in buf, which is large enough for ASCII names.
func parseApp(buf []byte, app string) (n appName) {
	if len(app) > maxApp {
		app = app[:maxApp]
	}
	name := baseName(bytes.TrimSpace(appendFolded(buf, app)))
	id := isIdentifier(name)
	out := name[:0] // never longer than what has been read
	for i := 0; i < len(name); {
		c, size := name[i], 1
		word := wordByte[c]
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRune(name[i:])
			word = unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
		}
		switch {
		case word && size == 1:
			out = append(out, c)
		case word:
			out = append(out, name[i:i+size]...)
		case len(out) > 0 && out[len(out)-1] != ' ':
			out = append(out, ' ')
		}
		if id && c == '.' && n.parts < len(n.starts) {
			n.starts[n.parts] = int16(len(out))
			n.parts++
		}
		i += size
	}
	n.key = bytes.TrimSuffix(out, []byte(" "))
	n.end = versionStart(n.key)
	return n
}

// wordByte has the ASCII bytes that words of an app's name are made of; any other separates words. Plus and number
// sign count, so that Notepad is not Notepad++.
var wordByte = func() (is [256]bool) {
	for c := range utf8.RuneSelf {
		is[c] = wordASCII(byte(c)) || c == '+' || c == '#'
	}
	return is
}()

// baseName strips the directory and the endings of executables and launchers. Of a path into a macOS bundle the
// bundle's name stays.
func baseName(name []byte) []byte {
	absolute := len(name) > 2 && (name[0] == '/' || name[0] == '\\' || name[1] == ':' && (name[2] == '\\' || name[2] == '/'))
	if absolute {
		if i := bytes.Index(name, []byte(".app/")); i > 0 {
			name = name[:i]
		}
		name = name[bytes.LastIndexAny(name, `/\`)+1:]
	}
	for {
		dot := bytes.LastIndexByte(name, '.')
		if dot <= 0 {
			return name
		}
		switch string(name[dot:]) {
		case ".exe", ".app", ".desktop", ".appimage", ".lnk":
			name = name[:dot]
		default:
			return name
		}
	}
}

// isIdentifier reports whether a name looks like a reverse-DNS identifier such as com.google.chrome.
func isIdentifier(name []byte) bool {
	dot := bytes.IndexByte(name, '.')
	if dot <= 0 || bytes.IndexByte(name, ' ') >= 0 {
		return false
	}
	switch string(name[:dot]) {
	case "com", "org", "net", "io", "dev", "app", "co", "me", "us", "kr", "jp", "cn", "de", "fr", "uk", "eu", "ru", "tv", "gg", "ai",
		"md", "info", "edu", "gov", "im", "sh", "so", "tech", "page", "xyz", "design", "company", "it", "nl", "ch", "se", "cc", "in", "snap":
		return true
	}
	return false
}

// versionStart returns the length of a name without the version at its end: "viewer 16 3", "idea64".
func versionStart(key []byte) int {
	end := len(key)
	for {
		start := bytes.LastIndexByte(key[:end], ' ') + 1
		digits := end
		for digits > start && isDigit(key[digits-1]) {
			digits--
		}
		version := digits < end && (digits == start || digits == start+1 && key[start] == 'v')
		switch {
		case version && start > 0:
			end = start - 1
		case digits > start && digits < end && gluedVersion(key, digits):
			return digits
		default:
			return end
		}
	}
}
