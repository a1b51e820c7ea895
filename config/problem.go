package config

import (
	"fmt"
	"strings"

	"leat/handlers/fault"
)

// Problem is one thing that is wrong with the configuration.
type Problem struct {
	Key     string // "broker.kind"; empty if the problem is not with one key
	Origin  string // "leat.yaml:12", "environment LEAT_BROKER_KIND", "flag --broker.kind", "default"
	Value   string // the value, quoted, its secrets masked; empty where there is none to show
	Message string // what is wrong and what is allowed
}

// String is one line: origin: key = value: message.
func (p Problem) String() string {
	var b strings.Builder
	for _, part := range []string{p.Origin, p.Key} {
		if part != "" {
			b.WriteString(part + ": ")
		}
	}
	if p.Value != "" {
		b.WriteString(p.Value + " ")
	}
	return b.String() + p.Message
}

// Error is all that is wrong with the configuration. It is of kind fault.Invalid and shows no secret.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return "configuration: " + e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "configuration: %d problems", len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// Unwrap tells the kind of the error.
func (e *Error) Unwrap() error {
	return &fault.Error{Kind: fault.Invalid, Code: "config", Err: errInvalid}
}

var errInvalid = fmt.Errorf("invalid configuration")

// problems collects what is wrong; the same thing said twice is kept once.
type problems struct {
	list []Problem
	seen map[Problem]bool
	keys map[string]bool // that have a problem
}

func newProblems() *problems { return &problems{seen: map[Problem]bool{}, keys: map[string]bool{}} }

func (p *problems) add(problem Problem) {
	if !p.seen[problem] {
		p.list = append(p.list, problem)
	}
	p.seen[problem], p.keys[problem.Key] = true, true
}

// nearest returns the candidate that is most like a name: one that ends in the whole of it or the other way
// round, if there is one, else the one at the smallest edit distance, the first of several. sep parts the words of a name.
func nearest(name string, candidates []string, sep string) string {
	best, least := "", 1<<30
	for _, candidate := range candidates {
		d := distance(strings.ToLower(name), strings.ToLower(candidate))
		if strings.HasSuffix(candidate, sep+name) || strings.HasSuffix(name, sep+candidate) {
			d = 0
		}
		if d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the insertions, deletions, substitutions and swaps of neighbours that turn a into b.
func distance(a, b string) int {
	const most = 128 // longer names are not typing mistakes
	a, b = a[:min(len(a), most)], b[:min(len(b), most)]
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
