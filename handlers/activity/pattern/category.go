package pattern

import "fmt"

// Browsing is the name of the category whose Apps are browsers: what they show is decided by the URL and the
// title, so the app itself decides only when there is no URL.
const Browsing = "Browsing"

// Category is one category with its patterns, as a document of category_pattern holds it. The syntax of each
// kind of pattern is in the package documentation.
type Category struct {
	Name    string   `yaml:"name"`
	Apps    []string `yaml:"apps"`
	Domains []string `yaml:"domains"`
	Titles  []string `yaml:"titles"`
}

// Kind says which part of an event a pattern is matched with.
type Kind uint8

const (
	Domain Kind = iota // the host, and perhaps the path, of the URL
	App                // the name or identifier of the app
	Title              // the window title
)

// String returns "domain", "app" or "title".
func (k Kind) String() string {
	switch k {
	case Domain:
		return "domain"
	case App:
		return "app"
	default:
		return "title"
	}
}

// Match is the pattern that decided.
type Match struct {
	Category int    // index in the slice that was given to Compile
	Kind     Kind   // what the pattern was matched with
	Pattern  string // the pattern as it was written
}

// Reason says what is wrong with a pattern.
type Reason string

const (
	Empty     Reason = "empty"     // nothing is left after normalisation
	Invalid   Reason = "invalid"   // not a host, not UTF-8, too long
	Duplicate Reason = "duplicate" // the same category has it already; harmless
	Conflict  Reason = "conflict"  // another category has it already, and keeps it
)

// Problem is a pattern that was left out by Compile.
type Problem struct {
	Category string
	Kind     Kind
	Pattern  string
	Reason   Reason
	Detail   string // what exactly is wrong, and what to do
}

// String returns the problem as one line for a log or a terminal.
func (p Problem) String() string {
	return fmt.Sprintf("category %q: %s pattern %q: %s", p.Category, p.Kind, p.Pattern, p.Detail)
}
