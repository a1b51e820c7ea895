package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file anew")

func recorded(t *testing.T) *table {
	t.Helper()
	stream, err := os.Open(filepath.Join("testdata", "stream.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	results, err := read(stream, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return results.table()
}

// The recorded run has all there is: properties that pass, fail, panic, do not apply, lack a server; a package that does not
// build, one whose server is missing, one with two configurations, and one without such tests.
func TestTable(t *testing.T) {
	var printed strings.Builder
	if err := recorded(t).print(&printed); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "table.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(printed.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if printed.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", printed.String(), want)
	}
}

func TestWhatMakesTheCommandFail(t *testing.T) {
	table := recorded(t)
	if !table.failed() || !table.missing() {
		t.Errorf("failed %t, missing %t; the recorded run has both", table.failed(), table.missing())
	}
	of := func(states ...string) *results {
		r := newResults()
		r.add(event{Action: "run", Package: "p", Test: conformance}, io.Discard)
		for i, state := range states {
			test := conformance + "/" + string(rune('a'+i))
			r.add(event{Action: "output", Package: "p", Test: test, Output: "    x.go:1: n/a: so\n"}, io.Discard)
			r.add(event{Action: state, Package: "p", Test: test}, io.Discard)
		}
		r.add(event{Action: "pass", Package: "p", Test: conformance}, io.Discard)
		return r
	}
	for _, test := range []struct {
		name            string
		results         *results
		failed, missing bool
	}{
		{"all pass", of("pass", "pass"), false, false},
		{"one does not apply", of("pass", "skip"), false, false},
		{"one fails", of("pass", "fail"), true, false},
		{"one does not finish", of("pass", "run"), true, false},
	} {
		if got := test.results.table(); got.failed() != test.failed || got.missing() != test.missing {
			t.Errorf("%s: failed %t, missing %t", test.name, got.failed(), got.missing())
		}
	}
}

func TestWhatIsNoStream(t *testing.T) {
	if _, err := read(strings.NewReader("{}\nno JSON"), io.Discard); err == nil || !strings.Contains(err.Error(), "no JSON") {
		t.Errorf("the error is %v", err)
	}
}
