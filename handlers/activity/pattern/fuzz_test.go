package pattern

import (
	"net/netip"
	neturl "net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// hostOf is an independent reading of the host of a plain URL, or "" where the two readings need not agree.
func hostOf(url string) string {
	u, err := neturl.Parse(url)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "" || !isASCII(url) || strings.ContainsAny(url, "%\\ \t\r\n[") {
		return ""
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	for i := 0; i < len(host); i++ {
		if !wordASCII(host[i]) && !strings.ContainsRune("-._", rune(host[i])) {
			return ""
		}
	}
	if len(host) > 253 {
		return ""
	}
	return host
}

func under(host, parent string) bool { return host == parent || strings.HasSuffix(host, "."+parent) }

// FuzzMatch checks that nothing panics and that a domain pattern decides exactly where the host equals its host or
// ends with a dot and it.
func FuzzMatch(f *testing.F) {
	categories := []Category{{Name: "A", Domains: []string{"youtube.com", "google.com/search", "docs.google.com", "a.kr", ".edu", "127.0.0.1", "localhost"},
		Apps: []string{"code", "=music", "adobe*", "카카오톡"}, Titles: []string{"go", "유튜브", "*x*"}}, {Name: Browsing, Apps: []string{"chrome"}}}
	set := compile(f, categories...)
	for _, url := range []string{"https://youtube.com", "http://user@m.youtube.com.:80/a?b#c", "https://notyoutube.com/?youtube.com", "//a.kr", "https://x@docs.google.com@evil.com", "https://한국.kr", "[::1]:1", "http://1.127.0.0.1"} {
		f.Add("Code.exe", "유튜브 go", url)
	}
	f.Add("com.google.Chrome", "\u1100\u1161", "about:blank")
	f.Fuzz(func(t *testing.T, app, title, url string) {
		m, ok := set.Match(app, title, url)
		require.True(t, ok || m == Match{})
		host := hostOf(url)
		_, isIP := netip.ParseAddr(host)
		if ok && m.Kind == Domain {
			parsed, _, hasHost := parseURL(nil, url)
			key, bad := normaliseDomain(m.Pattern)
			require.Empty(t, bad)
			pattern, _, _ := strings.Cut(key, "/")
			require.True(t, hasHost && under(string(parsed), pattern))
			if host != "" {
				require.True(t, under(host, pattern), "%q matched %q", url, m.Pattern)
			}
		} else if host != "" && isIP != nil && !allDigits(host[strings.LastIndexByte(host, '.')+1:]) {
			for _, p := range []string{"youtube.com", "docs.google.com", "a.kr", "edu", "localhost"} {
				require.False(t, under(host, p), "%q should match %q", url, p)
			}
		}
	})
}

// FuzzTitles compares the automaton with a plain search for each keyword.
func FuzzTitles(f *testing.F) {
	f.Add("he,she,hers,his", "ushers his")
	f.Add("유튜브,*튜브,튜*,go", "유튜브 GO go-go")
	f.Add("a,ab,*b*,b*", "aab ab b bb")
	f.Fuzz(func(t *testing.T, keywords, title string) {
		if len(keywords) > 100 || len(title) > 300 {
			return
		}
		set, _ := Compile([]Category{{Name: "A", Titles: strings.Split(keywords, ",")}})
		text := string(appendFolded(nil, title))
		var want *entry
		at := 0
		for i := range set.titles.entries {
			e := &set.titles.entries[i]
			if p := plainSearch(text, e); p >= 0 && (want == nil || len(e.key) > len(want.key) || len(e.key) == len(want.key) && p < at) {
				want, at = e, p
			}
		}
		got := set.titles.find(title)
		if want == nil {
			require.Nil(t, got)
			return
		}
		require.NotNil(t, got, "want %q", want.key)
		require.Equal(t, len(want.key), len(got.key))
		require.Equal(t, want.key, got.key)
	})
}

func plainSearch(text string, e *entry) int {
	for from := 0; from+len(e.key) <= len(text); from++ {
		i := strings.Index(text[from:], e.key)
		if i < 0 {
			return -1
		}
		from += i
		before, _ := utf8.DecodeLastRuneInString(text[:from])
		after, _ := utf8.DecodeRuneInString(text[from+len(e.key):])
		if (e.mode&openStart != 0 || from == 0 || !wordRune(before)) && (e.mode&openEnd != 0 || from+len(e.key) == len(text) || !wordRune(after)) {
			return from
		}
	}
	return -1
}

// FuzzCompile checks that any pattern is either reported or matches what it was made from.
func FuzzCompile(f *testing.F) {
	for _, p := range []string{"code", "=Code.exe", "adobe*", "https://www.YouTube.com/a/", "한국.kr", "*.a.b", ".edu", "*go", "=", "com.a.b", "\u110f\u1161", "[::1]"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		set, problems := Compile([]Category{{Name: "A", Apps: []string{p}, Domains: []string{p}, Titles: []string{p}}})
		require.Equal(t, 3, set.Len()+len(problems))
		for _, e := range set.domains.entries {
			m, ok := set.Match("", "", "https://"+e.key)
			require.True(t, ok && m.Kind == Domain && m.Pattern == p, "%q", e.key)
			_, ok = set.Match("", "", "https://x"+e.key)
			require.True(t, !ok || strings.HasPrefix(e.key, "["), "%q", e.key)
		}
		for _, e := range set.apps.entries {
			require.NotNil(t, set.apps.find(e.key), "%q", e.key)
		}
		for _, e := range set.titles.entries {
			require.NotNil(t, set.titles.find(e.key), "%q", e.key)
		}
	})
}
