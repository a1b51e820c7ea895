package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// The tests that are rows, as prefixes: a backend may have several of a kind, one for each way in which it can be configured.
const (
	conformance = "TestConformance"
	watermill   = "TestWatermillSuite"
	interop     = "TestInterop"
)

// Rows that sum the subtests of a test up.
const (
	suiteRow   = "Watermill's own suite"
	interopRow = "more interoperation tests"
)

// The states of a cell. Others are sums: "17 of 17".
const (
	ok      = "ok"
	failure = "FAIL"
	na      = "n/a"
	absent  = "missing"
	none    = "–"
)

// cell is the result of one property of one backend.
type cell struct {
	state string
	note  string // why it is not plainly ok
}

// column is a backend in one configuration.
type column struct {
	name   string
	server string
	cells  map[string]cell
}

// table is backend × property.
type table struct {
	rows     []string
	columns  []column
	failures []string // each with the output of the test
}

// table sorts the results into rows and columns.
func (r *results) table() *table {
	t := &table{}
	packages := make(map[string]bool) // that have a column
	var backends []name
	for _, key := range r.order {
		if strings.HasPrefix(key.Test, conformance) && !strings.Contains(key.Test, "/") {
			packages[key.Package] = true
			backends = append(backends, r.backends(key)...)
		}
	}
	for _, key := range backends {
		for _, child := range r.children(key) {
			t.addRow(property(child))
		}
	}
	for _, key := range backends {
		t.columns = append(t.columns, r.column(t, key))
	}
	for _, key := range r.order {
		if o := r.of[key]; key.Test == "" && o.action == "fail" && !packages[key.Package] {
			t.columns = append(t.columns, t.uniform(path.Base(key.Package), cell{failure, ""}))
		}
		if o := r.of[key]; o.failed() && (o.panicked() >= 0 || len(r.children(key)) == 0 && !r.explained(key)) {
			t.failures = append(t.failures, describe(key, o))
		}
	}
	slices.SortFunc(t.columns, func(a, b column) int { return strings.Compare(a.name, b.name) })
	for _, row := range []string{suiteRow, interopRow} {
		if slices.ContainsFunc(t.columns, func(c column) bool { return c.cells[row].state != "" }) {
			t.addRow(row)
		}
	}
	return t
}

func (t *table) addRow(row string) {
	if !slices.Contains(t.rows, row) {
		t.rows = append(t.rows, row)
	}
}

// explained reports whether a package failed because of its tests.
func (r *results) explained(key name) bool {
	return key.Test == "" && slices.ContainsFunc(r.order, func(other name) bool {
		return other.Package == key.Package && other.Test != "" && r.of[other].failed()
	})
}

// backends returns the tests whose subtests are properties: the test itself, or its subtests, one for each server.
func (r *results) backends(key name) (backends []name) {
	children := r.children(key)
	if !slices.ContainsFunc(children, func(child name) bool { return len(r.children(child)) > 0 }) {
		return []name{key}
	}
	for _, child := range children {
		backends = append(backends, r.backends(child)...)
	}
	return backends
}

// column makes the column of one conformance test.
func (r *results) column(t *table, key name) column {
	test, server, _ := strings.Cut(strings.TrimPrefix(key.Test, conformance), "/")
	whole := r.of[key]
	named := strings.TrimSpace(path.Base(key.Package) + words(test) + " " + strings.ReplaceAll(server, "_", " "))
	var c column
	switch children := r.children(key); {
	case whole.action == "skip":
		c = t.uniform(named, cell{absent, whole.said()})
	case len(children) == 0 && whole.failed():
		c = t.uniform(named, cell{failure, ""})
	default:
		c = t.uniform(named, cell{none, ""})
		for _, child := range children {
			c.cells[property(child)] = r.of[child].cell()
		}
	}
	c.server = whole.server()
	for row, other := range map[string]string{suiteRow: watermill + test, interopRow: interop + test} {
		for _, key := range []name{{key.Package, other}, {key.Package, other + "/" + server}} { // the second is more exact
			if r.of[key] != nil {
				c.cells[row] = r.sum(key)
			}
		}
	}
	return c
}

// uniform returns a column whose cells are all the same.
func (t *table) uniform(name string, of cell) column {
	c := column{name: name, cells: make(map[string]cell)}
	for _, row := range t.rows {
		c.cells[row] = of
	}
	return c
}

func (o *outcome) cell() cell {
	switch {
	case o.failed():
		return cell{failure, ""}
	case o.action == "pass":
		return cell{ok, ""}
	}
	if reason, applies := strings.CutPrefix(o.said(), "n/a: "); applies {
		return cell{na, reason}
	}
	return cell{absent, o.said()}
}

// sum sums the innermost subtests of a test up: "15 of 17", with a note on those that were skipped. A test whose only subtest is
// skipped has passed, says Go; Watermill's are of that kind.
func (r *results) sum(key name) cell {
	whole, leaves := r.of[key], r.leaves(key)
	if whole.action == "skip" && len(leaves) == 0 {
		return cell{absent, whole.said()}
	}
	passed, failed := 0, 0
	var skipped []string
	for _, leaf := range leaves {
		switch o := r.of[leaf]; {
		case o.failed():
			failed++
		case o.action == "pass":
			passed++
		default:
			skipped = append(skipped, title(leaf)+" ("+o.said()+")")
		}
	}
	slices.Sort(skipped)
	c := cell{state: fmt.Sprintf("%d of %d", passed, len(leaves))}
	if failed > 0 || whole.failed() {
		c.state = failure + ", " + c.state
	}
	if len(skipped) > 0 {
		c.note = "skipped: " + strings.Join(skipped, "; ")
	}
	return c
}

// property is the name of a subtest in plain words.
func property(child name) string {
	return strings.ReplaceAll(child.Test[strings.LastIndex(child.Test, "/")+1:], "_", " ")
}

// random is a segment of a name that Watermill's suite makes up.
var random = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f-]{27}$`)

// title is the last segment of a subtest's name that means something.
func title(leaf name) string {
	segments := strings.Split(leaf.Test, "/")
	for len(segments) > 1 && random.MatchString(segments[len(segments)-1]) {
		segments = segments[:len(segments)-1]
	}
	return strings.ReplaceAll(segments[len(segments)-1], "_", " ")
}

// words turns the rest of a test's name into plain words: " of miniredis".
func words(variant string) string {
	var b strings.Builder
	for _, letter := range variant {
		if unicode.IsUpper(letter) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(letter))
	}
	return b.String()
}

// describe tells of a failure, with the end of its output, or its panic.
func describe(key name, o *outcome) string {
	const most = 25
	output := o.output[max(0, len(o.output)-most):]
	if start := o.panicked(); start >= 0 {
		output = o.output[start:min(len(o.output), start+most)]
	}
	what := path.Base(key.Package)
	if key.Test != "" {
		what += " " + strings.ReplaceAll(key.Test, "_", " ")
	}
	if o.action == "" {
		what += " did not finish"
	}
	return what + "\n" + strings.Join(output, "")
}

// failed reports whether anything failed.
func (t *table) failed() bool {
	return len(t.failures) > 0 || t.any(func(c cell) bool { return strings.HasPrefix(c.state, failure) })
}

// missing reports whether a server was not there.
func (t *table) missing() bool {
	return t.any(func(c cell) bool { return c.state == absent })
}

func (t *table) any(is func(cell) bool) bool {
	for _, column := range t.columns {
		for _, cell := range column.cells {
			if is(cell) {
				return true
			}
		}
	}
	return false
}
