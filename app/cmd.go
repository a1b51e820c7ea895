package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	goredis "github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"leat/config"
	"leat/handlers/fault"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2 // wrong usage or configuration
)

// errUsage marks errors about how leat was called.
var errUsage = errors.New("usage")

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w%w", hidden{errUsage}, fmt.Errorf(format, args...))
}

// hidden keeps a marker in the chain of an error without showing it.
type hidden struct{ error }

func (hidden) Error() string   { return "" }
func (h hidden) Unwrap() error { return h.error }

// Main runs the command line and returns the exit code: 0 clean, 1 failure, 2 wrong usage or configuration. The
// context ends at the first signal.
func Main(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	goredis.SetLogger(redisLog{slog.New(slog.DiscardHandler)}) // until a command has a log of its own
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(errOut, "leat:", err)
	if _, bad := errors.AsType[*config.Error](err); bad || errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "leat",
		Short: "Feed streams of user events into records, live rankings and notifications",
		Long: `leat reads events from a broker, runs them through the stages of its pipelines (dedup, classify, persist,
aggregate), and keeps records in a store and live rankings in Redis. Nothing is lost, nothing is counted twice.

Every key of the configuration is also a flag (--broker.kind redisstream) and an environment variable
(LEAT_BROKER_KIND=redisstream); "leat config print" shows all of them.`,
		Args:          args(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w\nSee '%s --help'.", err, cmd.CommandPath())
	})
	root.PersistentFlags().String("config", "", "configuration file (default leat.yaml, if it is there)")
	config.RegisterFlags(root.PersistentFlags())
	root.AddCommand(newRunCommand(), newPublishCommand(), newLeaderboardCommand(), newConfigCommand(), newHealthCommand(), newVersionCommand())
	return root
}

// args makes a check of arguments report wrong usage.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if err := check(cmd, given); err != nil {
			return usagef("%w\nSee '%s --help'.", err, cmd.CommandPath())
		}
		return nil
	}
}

// load reads the configuration for a command.
func load(cmd *cobra.Command) (*config.Config, *config.Report, error) {
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return nil, nil, err
	}
	return config.Load(config.Options{File: file, Flags: cmd.Flags()})
}

// unavailableHint adds what to do to an error of a dependency.
func unavailableHint(err error, key string) error {
	if err != nil && fault.KindOf(err) == fault.Unavailable {
		return fmt.Errorf("%w (check %s and the credentials, and that it is running)", err, key)
	}
	return err
}
