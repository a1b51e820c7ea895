package pattern

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	maxHost = 256 // bytes of a host that are looked at; longer ones are not hosts
	maxPath = 256 // bytes of a path that are looked at; longer patterns are refused
)

// idn turns internationalised hosts into the punycode form that patterns are kept in.
var idn = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// parseURL appends the normalised host of a URL to dst and returns it with the path as it stands in the URL. The scheme
// may be absent. It returns false where the URL names no site: about:blank, chrome://newtab, file:///x, garbage.
func parseURL(dst []byte, url string) (host []byte, path string, ok bool) {
	rest, ok := authority(strings.TrimSpace(url))
	if !ok {
		return nil, "", false
	}
	rest, path = splitPath(rest)
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	rest, port, ok := cutPort(rest)
	if !ok || !allDigits(port) {
		return nil, "", false
	}
	host = appendHost(dst, rest)
	return host, path, len(host) > 0
}

// splitPath parts an authority from what follows it. As in browsers, a backslash is a slash.
func splitPath(rest string) (authority, path string) {
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '/', '\\', '?', '#':
			return rest[:i], rest[i:]
		}
	}
	return rest, ""
}

// authority returns what follows the scheme of a web address, or false where the scheme is of another kind.
func authority(url string) (string, bool) {
	for _, wrapper := range [...]string{"view-source:", "blob:"} {
		if hasPrefixFold(url, wrapper) {
			url = url[len(wrapper):]
		}
	}
	end := 0
	for end < len(url) && (wordASCII(url[end]) || url[end] == '+' || url[end] == '-' || url[end] == '.') {
		end++
	}
	rest := url[end:]
	switch {
	case strings.HasPrefix(rest, "://"):
		return rest[3:], isWeb(url[:end])
	case end == 0:
		return strings.TrimPrefix(url, "//"), true
	case len(rest) > 1 && rest[0] == ':' && !isDigit(rest[1]):
		return "", false // about:blank, mailto:a@b.com, file:/x
	}
	return url, true
}

func isWeb(scheme string) bool {
	for _, s := range [...]string{"https", "http", "wss", "ws", "ftp"} {
		if len(scheme) == len(s) && hasPrefixFold(scheme, s) {
			return true
		}
	}
	return false
}

func hasPrefixFold(s, lower string) bool {
	if len(s) < len(lower) {
		return false
	}
	for i := 0; i < len(lower); i++ {
		if lowerASCII(s[i]) != lower[i] {
			return false
		}
	}
	return true
}

// cutPort splits host:port; an IPv6 address stands in brackets, which stay.
func cutPort(s string) (host, port string, ok bool) {
	if strings.HasPrefix(s, "[") {
		i := strings.IndexByte(s, ']')
		if i < 0 || i+1 < len(s) && s[i+1] != ':' {
			return "", "", false
		}
		return s[:i+1], strings.TrimPrefix(s[i+1:], ":"), true
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port, true
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// appendHost appends a host in lower case, internationalised names as punycode, IPv6 addresses in their shortest
// form, without the root's dot. It returns nothing if a byte in it cannot be part of a host.
func appendHost(dst []byte, host string) []byte {
	if !isASCII(host) {
		ascii, err := idn.ToASCII(host)
		if err != nil {
			return nil
		}
		host = ascii
	}
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return nil
		}
		return append(addr.AppendTo(append(dst, '[')), ']')
	}
	host = strings.TrimSuffix(host, ".")
	if len(host) > maxHost {
		return nil
	}
	start := len(dst)
	for i := 0; i < len(host); i++ {
		c := hostByte[host[i]]
		if c == 0 {
			return nil
		}
		dst = append(dst, c)
	}
	return dst[start:]
}

// hostByte has the bytes that a host is made of, in lower case; 0 for any other.
var hostByte = func() (lower [256]byte) {
	for c := range byte(utf8.RuneSelf) {
		if wordASCII(c) || c == '-' || c == '.' || c == '_' {
			lower[c] = lowerASCII(c)
		}
	}
	return lower
}()

// normaliseDomain returns the key of a domain pattern, "host" or "host/path", or what is wrong with it.
func normaliseDomain(pattern string) (key, bad string) {
	p := strings.TrimSpace(pattern)
	if scheme, rest, ok := strings.Cut(p, "://"); ok {
		if !isWeb(scheme) {
			return "", "only web addresses have a host to match: remove the pattern"
		}
		p = rest
	}
	if strings.ContainsAny(p, `?#\`) {
		return "", "only host and path are matched: remove what follows ? or #"
	}
	p = strings.TrimPrefix(p, "//")
	rest, under := strings.CutPrefix(strings.TrimPrefix(p, "*."), ".")
	under = under || strings.HasPrefix(p, "*.")
	name, path, _ := strings.Cut(rest, "/")
	name, port, ok := cutPort(name)
	if !ok || strings.Contains(name, "@") {
		return "", "is not a host: write it as example.com or example.com/path"
	}
	if port != "" && port != "80" && port != "443" {
		return "", "a port is not matched: remove it"
	}
	host := string(appendHost(nil, name))
	if bad := checkHost(host, under); bad != "" {
		return "", bad
	}
	if rest, ok := strings.CutPrefix(host, "www."); ok && strings.Contains(rest, ".") {
		host = rest
	}
	folded, _ := appendPath([]byte(host), "/"+path, len(path)+1)
	if len(path) > maxPath || len(folded)-len(host) > maxPath {
		return "", fmt.Sprintf("has a path of more than %d bytes", maxPath)
	}
	return string(folded), ""
}

// checkHost is stricter than a URL's host has to be, so that a pattern that could never match is reported.
func checkHost(host string, under bool) string {
	if strings.HasPrefix(host, "[") {
		return ""
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || len(host) > 253 {
			return "is not a host: write it as example.com or example.com/path"
		}
	}
	if last := labels[len(labels)-1]; allDigits(last) {
		if _, err := netip.ParseAddr(host); err != nil {
			return "is not an IP address"
		}
	} else if len(labels) == 1 && !under && host != "localhost" {
		return fmt.Sprintf("has no dot: write .%s if every host under it is meant", host)
	}
	return ""
}

// appendPath appends the first segments of a path, each with a slash before it, in ASCII lower case and with %XX
// decoded (but not to a slash). It stops at a query or fragment and counts the segments that it appended.
func appendPath(dst []byte, path string, segments int) ([]byte, int) {
	n, limit := 0, len(dst)+maxPath+1
	for i := 0; i < len(path) && len(dst) < limit; i++ {
		c := path[i]
		switch c {
		case '?', '#':
			return dst, n
		case '/', '\\':
			if i+1 < len(path) && strings.IndexByte(`/\?#`, path[i+1]) < 0 {
				if n == segments {
					return dst, n
				}
				n++
				dst = append(dst, '/')
			}
			continue
		case '%':
			if d, ok := unhex(path[i+1:]); ok && d != '/' {
				c = d
				i += 2
			}
		}
		dst = append(dst, lowerASCII(c))
	}
	return dst, n
}

func unhex(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, lo := strings.IndexByte(hexDigits, lowerASCII(s[0])), strings.IndexByte(hexDigits, lowerASCII(s[1]))
	if hi < 0 || lo < 0 {
		return 0, false
	}
	return byte(hi<<4 | lo), true
}

const hexDigits = "0123456789abcdef"
