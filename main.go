// Command leat feeds streams of user events through a Watermill router into records, live rankings and
// notifications. README.md tells how to use it, ARCHITECTURE.md how it is built.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // containers without a time zone database still count days where their users live

	"leat/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(app.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
