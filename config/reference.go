package config

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteExample writes leat.example.yaml: every key with its documentation and default.
func WriteExample(w io.Writer) error {
	header := `# The configuration of leat. Every key stands here with its default; a file needs only those that differ.
# Values come from the defaults, then this file (leat.yaml, or --config), then the environment, then flags:
# broker.kind is also LEAT_BROKER_KIND and --broker.kind. Durations: 500ms, 2s, 1m30s, 24h, 7d. Sizes: 256KiB, 8MiB.

`
	var b bytes.Buffer
	err := walk(new(Config)).write(&b, func(l *leaf) ([]string, string) {
		text := l.doc
		if allowed := l.allowed(); allowed != "" {
			text += " (" + allowed + ")"
		}
		lines := wrapped(text, 110-2*strings.Count(l.key, "."))
		if more := l.env[1:]; len(more) > 0 {
			lines = append(lines, "environment: "+strings.Join(more, ", ")+" or "+l.env[0])
		}
		return lines, ""
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, header+b.String())
	return err
}

// WriteTable writes a Markdown table of all keys.
func WriteTable(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("| key | default | meaning |\n|---|---|---|\n")
	for _, l := range walk(new(Config)).leaves {
		text := l.doc
		for _, part := range []string{l.allowed(), strings.Join(l.env[1:], ", ")} {
			if part != "" {
				text += "; " + part
			}
		}
		byDefault := ""
		if s := l.text(); s != "" {
			byDefault = "`" + strings.ReplaceAll(s, ",", ", ") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", l.key, byDefault, strings.ReplaceAll(text, "|", "\\|"))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// allowed says which values a leaf takes, for people; empty if any of its kind will do.
func (l *leaf) allowed() string {
	bounded := l.kind != kindString && l.kind != kindList
	switch {
	case len(l.oneof) == 1:
		return "only " + l.oneof[0]
	case l.kind == kindList && len(l.oneof) > 0:
		return "any of " + strings.Join(l.choices(), ", ")
	case len(l.oneof) > 0:
		return "one of " + strings.Join(l.choices(), ", ")
	case bounded && l.min != "" && l.max != "":
		return l.min + " to " + l.max
	case bounded && l.max != "":
		return "at most " + l.max
	case bounded && strings.Trim(l.min, "0s") != "": // "not negative" goes without saying
		return "at least " + l.min
	}
	return ""
}

// choices are the values that a leaf takes and that have a name; the empty one says that it is not set.
func (l *leaf) choices() []string {
	return slices.DeleteFunc(slices.Clone(l.oneof), func(choice string) bool { return choice == "" })
}

// wrapped breaks text into lines of about the given width.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
