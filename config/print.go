package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Report tells where the values of a loaded configuration come from.
type Report struct{ tree *tree }

// Origin returns where the value of a key comes from: "default", "leat.yaml:12", "environment REDIS_ADDR",
// "flag --broker.kind"; empty if there is no such key.
func (r *Report) Origin(key string) string {
	if l := r.tree.leaf(key); l != nil {
		return l.origin
	}
	return ""
}

// Print writes the configuration as a YAML file, each value with a comment that tells its origin. The file can be
// loaded again, except for secrets: they are masked, and a masked value is refused.
func (r *Report) Print(w io.Writer) error {
	return r.tree.write(w, func(l *leaf) (above []string, beside string) { return nil, l.origin })
}

// write writes all leaves as YAML, with the comments that a function gives: lines above the key and one beside the value.
func (t *tree) write(w io.Writer, comment func(*leaf) (above []string, beside string)) error {
	var b bytes.Buffer
	last := []string{} // the section of the leaf before
	for _, l := range t.leaves {
		path := strings.Split(l.key, ".")
		same := 0
		for same < min(len(last), len(path)-1) && last[same] == path[same] {
			same++
		}
		above, beside := comment(l)
		if same == 0 && len(last)+len(path) > 1 && b.Len() > 0 { // between sections
			b.WriteByte('\n')
		}
		for depth := same; depth < len(path)-1; depth++ {
			if s := t.section(strings.Join(path[:depth+1], ".")); above != nil && s.doc != "" {
				fmt.Fprintf(&b, "%s# %s\n", indent(depth), s.doc)
			}
			fmt.Fprintf(&b, "%s%s:\n", indent(depth), path[depth])
		}
		last = path[:len(path)-1]
		for _, text := range above {
			fmt.Fprintf(&b, "%s# %s\n", indent(len(last)), text)
		}
		fmt.Fprintf(&b, "%s%s: %s", indent(len(last)), path[len(last)], l.yaml())
		if beside != "" {
			fmt.Fprintf(&b, "  # %s", strings.Join(strings.Fields(beside), " "))
		}
		b.WriteByte('\n')
	}
	_, err := w.Write(b.Bytes())
	return err
}

func indent(depth int) string { return strings.Repeat("  ", depth) }

// yaml is the value as a YAML file holds it, masked.
func (l *leaf) yaml() string {
	switch l.kind {
	case kindString:
		return quoted(l.secret.mask(l.text()))
	case kindList:
		var items []string
		for _, item := range l.items() {
			items = append(items, quoted(l.secret.mask(item)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		return l.text()
	}
}

var (
	plain    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_/.-]*$`)
	reserved = regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|y|n|null|nan|inf)$`)
)

// quoted writes a string so that every YAML parser reads it back as a string.
func quoted(text string) string {
	if plain.MatchString(text) && !reserved.MatchString(text) {
		return text
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(text); err != nil { // a string always encodes
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
