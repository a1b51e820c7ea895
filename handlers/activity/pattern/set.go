package pattern

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxPattern bounds the length of an app or title pattern, in bytes, as written and as normalised.
const maxPattern = 256

// Set is a compiled set of patterns. It never changes, so any number of goroutines may use it at once; a reload
// compiles a new one and swaps the pointer.
type Set struct {
	domains domains
	apps    apps
	titles  titles
	browser []bool // by category: its apps are browsers
	size    int
}

// Compile builds a Set. A pattern that cannot be used is left out and reported; it never stops the others. Of
// patterns that are equal after normalisation the first one stays, so the order of the categories decides
// conflicts.
func Compile(categories []Category) (*Set, []Problem) {
	c := compiler{set: &Set{browser: make([]bool, len(categories))}, categories: categories}
	for i, category := range categories {
		c.set.browser[i] = category.Name == Browsing
		c.compile(i, category)
	}
	c.set.domains = newDomains(c.accepted[Domain])
	c.set.apps = apps{newTrie(c.accepted[App])}
	c.set.titles = newTitles(c.accepted[Title])
	for _, entries := range c.accepted {
		c.set.size += len(entries)
	}
	return c.set, c.problems
}

// Len returns the number of patterns in the set.
func (s *Set) Len() int { return s.size }

// Match returns the pattern that decides the category of an event, in the order that the package documentation
// states, or false where none matches. Any of the three may be empty or garbage. It does not allocate for ASCII input.
func (s *Set) Match(app, title, url string) (Match, bool) {
	var buf [maxHost + maxPath + 4]byte
	host, path, hasHost := parseURL(buf[:0], url)
	if hasHost {
		if e := s.domains.find(host, path); e != nil {
			return e.match(Domain), true
		}
	}
	byApp := s.apps.find(app)
	if byApp != nil && !s.browser[byApp.category] {
		return byApp.match(App), true
	}
	if e := s.titles.find(title); e != nil {
		return e.match(Title), true
	}
	if byApp != nil && !hasHost {
		return byApp.match(App), true
	}
	return Match{}, false
}

// entry is an accepted pattern.
type entry struct {
	key      string // normalised
	pattern  string // as written
	category int32
	mode     uint8 // how the key has to stand in the text; its meaning depends on the kind
}

func (e *entry) match(k Kind) Match {
	return Match{Category: int(e.category), Kind: k, Pattern: e.pattern}
}

// compiler collects the accepted patterns and the problems of one Compile.
type compiler struct {
	set        *Set
	categories []Category
	accepted   [Title + 1][]entry
	seen       [Title + 1]map[seenKey]int // index in accepted
	problems   []Problem
}

type seenKey struct {
	key  string
	mode uint8
}

func (c *compiler) compile(index int, category Category) {
	for kind, list := range [...][]string{Domain: category.Domains, App: category.Apps, Title: category.Titles} {
		if c.seen[kind] == nil {
			c.seen[kind] = make(map[seenKey]int, len(list))
		}
		for _, pattern := range list {
			c.add(index, Kind(kind), pattern)
		}
	}
}

func (c *compiler) add(index int, kind Kind, pattern string) {
	problem := func(reason Reason, format string, args ...any) {
		c.problems = append(c.problems, Problem{c.categories[index].Name, kind, pattern, reason, fmt.Sprintf(format, args...)})
	}
	key, mode, bad := normalise(kind, pattern)
	switch {
	case bad != "":
		problem(Invalid, "%s", bad)
		return
	case key == "":
		problem(Empty, "is empty after normalisation: remove it")
		return
	}
	if at, ok := c.seen[kind][seenKey{key, mode}]; ok {
		first := c.accepted[kind][at]
		if owner := c.categories[first.category].Name; owner != c.categories[index].Name {
			problem(Conflict, "category %q has it already, as %q: keep one of them", owner, first.pattern)
			return
		}
		problem(Duplicate, "the category has it already, as %q: remove one of them", first.pattern)
		return
	}
	c.seen[kind][seenKey{key, mode}] = len(c.accepted[kind])
	c.accepted[kind] = append(c.accepted[kind], entry{key: key, pattern: pattern, category: int32(index), mode: mode})
}

// normalise returns the form of a pattern that is looked up, and what is wrong with it, if anything.
func normalise(kind Kind, pattern string) (key string, mode uint8, bad string) {
	switch {
	case !utf8.ValidString(pattern):
		return "", 0, "is not valid UTF-8"
	case strings.TrimSpace(pattern) == "":
		return "", 0, ""
	}
	switch kind {
	case Domain:
		key, bad = normaliseDomain(pattern)
		return key, 0, bad
	case App:
		key, mode = normaliseApp(pattern)
	default:
		key, mode = normaliseTitle(pattern)
	}
	if max(len(pattern), len(key)) > maxPattern {
		return "", 0, fmt.Sprintf("is longer than %d bytes", maxPattern)
	}
	return key, mode, ""
}
