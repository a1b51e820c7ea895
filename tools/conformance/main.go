// Command conformance runs the tests that every pub/sub backend must pass, and prints a table: property × backend. It ends with 1
// if anything fails, or if a server is missing where the environment says CI=true.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
)

func main() {
	dir := flag.String("dir", ".", "folder of the module leat")
	packages := flag.String("packages", "./adapters/pubsub/...", "packages of the backends")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code, err := run(ctx, *dir, *packages)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		code = 1
	}
	os.Exit(code)
}

// run runs the tests and prints the table; it returns the exit code.
func run(ctx context.Context, dir, packages string) (int, error) {
	tests := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout=20m", "-run=^("+conformance+"|"+watermill+"|"+interop+")", packages)
	tests.Dir, tests.Stderr = dir, os.Stderr
	stream, err := tests.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := tests.Start(); err != nil {
		return 1, err
	}
	results, err := read(stream, os.Stderr)
	if err != nil {
		_, _ = io.Copy(io.Discard, stream)
	}
	failed := tests.Wait() // that tests failed is in the results, too
	if err != nil {
		return 1, err
	}
	table := results.table()
	if err := table.print(os.Stdout); err != nil {
		return 1, err
	}
	switch {
	case len(table.columns) == 0:
		return 1, fmt.Errorf("no backend was tested: %w", failed)
	case table.failed(), failed != nil, table.missing() && os.Getenv("CI") == "true":
		return 1, nil
	}
	return 0, nil
}
