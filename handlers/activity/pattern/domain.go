package pattern

import (
	"bytes"
	"math"
	"strings"
)

// domains finds domain patterns: a map of hosts that is asked for the host of the URL and for each of its parents.
// A host with path patterns says how many segments the longest of them has; those have keys "host/path".
type domains struct {
	keys    map[string]place
	entries []entry
	single  bool // some pattern is a single label, such as .edu
}

// place is what is known of a key.
type place struct {
	entry    int32 // in entries; -1 where the host only has path patterns
	segments int32 // of the longest path pattern of the host
}

func newDomains(entries []entry) domains {
	d := domains{keys: make(map[string]place, len(entries)), entries: entries}
	for i := range entries {
		key := entries[i].key
		host, _, hasPath := strings.Cut(key, "/")
		d.single = d.single || !strings.Contains(host, ".")
		old, ok := d.keys[host]
		if !ok {
			old.entry = -1
		}
		if hasPath {
			old.segments = max(old.segments, int32(strings.Count(key, "/")))
			d.keys[key] = place{entry: int32(i)}
		} else {
			old.entry = int32(i)
		}
		d.keys[host] = old
	}
	return d
}

// find returns the entry of the longest host that has one for this URL, and for that host the longest path. The
// host's buffer is written to after the host.
func (d *domains) find(host []byte, path string) *entry {
	size, address := len(host), isAddress(host)
	if bytes.HasPrefix(host, []byte("www.")) && bytes.IndexByte(host[4:], '.') > 0 {
		host = host[4:] // no key starts with it
		size -= 4
	}
	full, segments := host, -1 // with the path, once it is needed
	for start := 0; ; {
		if p, ok := d.keys[string(host[start:])]; ok {
			if p.segments > 0 && segments < 0 {
				full, segments = appendPath(host, path, math.MaxInt)
			}
			if p.segments > 0 {
				if e := d.byPath(full[start:], size-start, min(int(p.segments), segments)); e != nil {
					return e
				}
			}
			if p.entry >= 0 {
				return &d.entries[p.entry]
			}
		}
		dot := bytes.IndexByte(host[start:], '.')
		if dot < 0 || address {
			return nil
		}
		start += dot + 1
		if !d.single && bytes.IndexByte(host[start:], '.') < 0 {
			return nil
		}
	}
}

// byPath looks for the longest path pattern of a host with at most so many segments; full is host and path.
func (d *domains) byPath(full []byte, host, segments int) *entry {
	end := host
	for n := 0; n < segments; n++ {
		next := bytes.IndexByte(full[end+1:], '/')
		if next < 0 {
			end = len(full)
			break
		}
		end += 1 + next
	}
	for end > host {
		if p, ok := d.keys[string(full[:end])]; ok {
			return &d.entries[p.entry]
		}
		end = bytes.LastIndexByte(full[:end], '/')
	}
	return nil
}

// isAddress reports whether a host is an IP address, which has no parents.
func isAddress(host []byte) bool {
	return len(host) > 0 && (host[0] == '[' || isDigit(host[len(host)-1]) && allDigits(string(host[bytes.LastIndexByte(host, '.')+1:])))
}
