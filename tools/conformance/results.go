package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
)

// event is a line of `go test -json`.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	ImportPath  string // of what is built
	FailedBuild string // the ImportPath of what a package could not be tested for
}

// name is of a test, or of a package where Test is empty.
type name struct{ Package, Test string }

// outcome is what is known of a test: pass, fail or skip, or nothing if it did not finish.
type outcome struct {
	action string
	output []string
}

// results are outcomes in the order in which the tests began.
type results struct {
	order  []name
	of     map[name]*outcome
	builds map[string][]string // output, by ImportPath
}

func newResults() *results {
	return &results{of: make(map[name]*outcome), builds: make(map[string][]string)}
}

// read reads the stream to its end, and tells progress of what ends.
func read(stream io.Reader, progress io.Writer) (*results, error) {
	r := newResults()
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if failed := json.Unmarshal(line, &e); failed != nil {
				return nil, fmt.Errorf("line %q of go test -json: %w", line, failed)
			}
			r.add(e, progress)
		}
		if err == io.EOF {
			return r, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read go test -json: %w", err)
		}
	}
}

func (r *results) add(e event, progress io.Writer) {
	if e.Package == "" {
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
		return
	}
	key := name{e.Package, e.Test}
	o := r.of[key]
	if o == nil {
		o = &outcome{}
		r.of[key] = o
		r.order = append(r.order, key)
	}
	switch e.Action {
	case "output":
		o.output = append(o.output, e.Output)
	case "pass", "fail", "skip":
		o.action = e.Action
		o.output = append(o.output, r.builds[e.FailedBuild]...)
		if e.Test != "" && !strings.Contains(e.Test, "/") {
			fmt.Fprintf(progress, "%s %s: %s\n", path.Base(e.Package), e.Test, e.Action)
		}
	}
}

// failed reports whether the test failed, or began and did not finish.
func (o *outcome) failed() bool { return o.action == "fail" || o.action == "" }

// panicked returns where in the output a panic begins; -1 if there is none. Go tells of it in the test around the one that panicked.
func (o *outcome) panicked() int {
	return slices.IndexFunc(o.output, func(line string) bool { return strings.HasPrefix(line, "panic:") })
}

var logLine = regexp.MustCompile(`^\s*\S+\.go:\d+: (.*)`)

// said returns the last line that the test logged, without the place; a skipped one says why.
func (o *outcome) said() string {
	for i := len(o.output) - 1; i >= 0; i-- {
		if match := logLine.FindStringSubmatch(o.output[i]); match != nil {
			return strings.TrimSpace(match[1])
		}
	}
	return "it does not say why"
}

// server returns what the test says of the server it ran against, if anything.
func (o *outcome) server() string {
	for _, line := range o.output {
		if match := logLine.FindStringSubmatch(line); match != nil {
			if server, ok := strings.CutPrefix(match[1], "server: "); ok {
				return strings.TrimSpace(server)
			}
		}
	}
	return ""
}

// leaves returns the innermost subtests of a test, in their order.
func (r *results) leaves(of name) (leaves []name) {
	for _, child := range r.children(of) {
		if below := r.leaves(child); len(below) > 0 {
			leaves = append(leaves, below...)
		} else {
			leaves = append(leaves, child)
		}
	}
	return leaves
}

// children returns the direct subtests of a test, in their order.
func (r *results) children(of name) (children []name) {
	for _, key := range r.order {
		if rest, ok := strings.CutPrefix(key.Test, of.Test+"/"); ok && key.Package == of.Package && !strings.Contains(rest, "/") {
			children = append(children, key)
		}
	}
	return children
}
