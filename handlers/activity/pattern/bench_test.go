package pattern

import (
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// manyDomains returns n made-up domain patterns spread over the categories.
func manyDomains(n int) []Category {
	categories := Builtin()
	tlds := []string{"com", "co.kr", "net", "io", "org", "dev", "co.uk", "tv"}
	for i := range n {
		c := &categories[i%(len(categories)-1)]
		if i < len(categories) {
			c.Domains = c.Domains[:len(c.Domains):len(c.Domains)]
		}
		c.Domains = append(c.Domains, fmt.Sprintf("%x-site-%d.%s", (i*2654435761)%(1<<20), i, tlds[i%len(tlds)]))
	}
	return categories
}

type event struct{ app, title, url string }

// mixed is what arrives: mostly browser events whose host is known or not, and native apps.
func mixed(categories []Category) []event {
	var events []event
	for i := range 4096 {
		domains := categories[i%(len(categories)-1)].Domains
		known := strings.TrimPrefix(domains[(i*7919)%len(domains)], ".")
		switch i % 4 {
		case 0:
			events = append(events, event{"Google Chrome", "Some page about things - Google Chrome", "https://www." + known + "/a/b?q=1"})
		case 1:
			events = append(events, event{"Google Chrome", "Other page", "https://m." + known + "/search?query=x#top"})
		case 2:
			events = append(events, event{"Microsoft Edge", fmt.Sprintf("Unknown %d and its long title - Microsoft Edge", i), fmt.Sprintf("https://unknown-%d.example.com/x", i)})
		default:
			events = append(events, event{"Visual Studio Code", "main.go - leat - Visual Studio Code", ""})
		}
	}
	return events
}

func BenchmarkMatch(b *testing.B) {
	categories := manyDomains(100_000)
	set, _ := Compile(categories)
	all := mixed(categories)
	for _, kind := range []struct {
		name   string
		events []event
	}{
		{"mixed", all},
		{"known_host", every(all, 0)},
		{"subdomain", every(all, 1)},
		{"unknown_host", every(all, 2)},
		{"app", every(all, 3)},
	} {
		b.Run(kind.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				e := &kind.events[i%len(kind.events)]
				set.Match(e.app, e.title, e.url)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mlookups/s")
		})
	}
}

func every(events []event, k int) (out []event) {
	for i := k; i < len(events); i += 4 {
		out = append(out, events[i])
	}
	return out
}

// TestCompileOf100kDomains holds the two bounds that a reload has to keep.
func TestCompileOf100kDomains(t *testing.T) {
	categories := manyDomains(100_000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	set, problems := Compile(categories)
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Empty(t, problems)
	mib := float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20)
	t.Logf("%d patterns in %v, %.1f MiB", set.Len(), took, mib)
	require.Less(t, took, 2*time.Second)
	require.Less(t, mib, 100.0)
	runtime.KeepAlive(set)
}

// BenchmarkDomains compares the index with what is simplest to write: net/url and a map of hosts, without paths,
// addresses or internationalised names.
func BenchmarkDomains(b *testing.B) {
	categories := manyDomains(100_000)
	set, _ := Compile(categories)
	suffixes := make(map[string]int)
	for i, c := range categories {
		for _, d := range c.Domains {
			suffixes[d] = i
		}
	}
	events := every(mixed(categories), 1)
	b.Run("index", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			var buf [maxHost + maxPath + 4]byte
			host, path, _ := parseURL(buf[:0], events[i%len(events)].url)
			set.domains.find(host, path)
		}
	})
	b.Run("net_url_and_map", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			u, err := url.Parse(events[i%len(events)].url)
			if err != nil {
				continue
			}
			for host := strings.ToLower(u.Hostname()); host != ""; _, host, _ = strings.Cut(host, ".") {
				if _, ok := suffixes[host]; ok {
					break
				}
			}
		}
	})
}

// BenchmarkTitles compares the automaton with a search for each keyword.
func BenchmarkTitles(b *testing.B) {
	set, _ := Compile(Builtin())
	const title = "Unknown page with a long title about nothing in particular - Microsoft Edge"
	b.Run("automaton", func(b *testing.B) {
		for range b.N {
			set.titles.find(title)
		}
	})
	b.Run("search_each", func(b *testing.B) {
		for range b.N {
			lower := strings.ToLower(title)
			for i := range set.titles.entries {
				if strings.Contains(lower, set.titles.entries[i].key) {
					break
				}
			}
		}
	})
}
