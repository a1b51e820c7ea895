package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"leat/config"
	"leat/handlers/activity"
)

func newPublishCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "publish", Short: "Publish events from a file or standard input", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("say for which pipeline: leat publish activity")
		}}
	cmd.AddCommand(newPublishActivityCommand())
	return cmd
}

// publishing is how leat publish was called.
type publishing struct {
	format    string
	topic     string
	url       string
	dryRun    bool
	unchecked bool
}

func newPublishActivityCommand() *cobra.Command {
	var how publishing
	cmd := &cobra.Command{
		Use:   "activity [FILE]",
		Short: "Publish activity events, one JSON object a line",
		Long: `Reads one JSON object a line from FILE, or from standard input without FILE or with -, and publishes them to
pipelines.activity.topic. Empty lines are skipped. Fields: userId, duration (seconds) and one of app, title, url are
required; timestamp, session, sessionDate, sessionMinutes, isEnd, categorizedDataId and pomodoroUsageLogId may be given.

Every line is checked as the pipeline will check it. A wrong one is reported with its number on standard error and left
out; the others are published, and the exit code is 1 in the end. With --unchecked wrong lines up to 16 MiB are published
too, as they are, which shows how dead letters work; they are reported all the same and the exit code is 0.

The lines go to the pipeline's broker (broker.kind), or with --url to a running leat, which puts them there. A broker of kind
gochannel is inside a leat: without --url it is looked for at http.addr. http.token must be that of the running leat.

--format watermill sends each line, unchanged, in the envelope that Watermill programs write. A line with a timestamp
gets the same UUID whenever it is published: after a failure, publish the file again, and what had arrived is not counted
twice (nor are two equal lines). A line without a timestamp happens now, so it is another event each time.
--format fields sends flat text fields as the Spring server does, and only fields named above. Such an entry has no UUID: only
lines with a pomodoroUsageLogId are recognised when they are published again.

Example:
  echo '{"userId":"u1","app":"Code","title":"main.go","duration":60}' | leat publish activity`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			if how.format != "watermill" && how.format != "fields" {
				return usagef("--format %q: must be watermill or fields", how.format)
			}
			cfg, _, err := load(cmd)
			if err != nil {
				return err
			}
			return publishActivity(cmd, cfg, append(files, "-")[0], how)
		},
	}
	cmd.Flags().StringVar(&how.format, "format", "watermill", "how events are written: watermill or fields")
	cmd.Flags().StringVar(&how.topic, "topic", "", "topic to publish to instead of pipelines.activity.topic")
	cmd.Flags().StringVar(&how.url, "url", "", "send the lines to the leat that runs there, such as http://127.0.0.1:8080, with the token of http.token")
	cmd.Flags().BoolVar(&how.dryRun, "dry-run", false, "check the lines and publish nothing")
	cmd.Flags().BoolVar(&how.unchecked, "unchecked", false, "publish wrong lines too")
	return cmd
}

// longestUnchecked is the longest line, in bytes, that is published without having been found right.
const longestUnchecked = 16 << 20

func publishActivity(cmd *cobra.Command, cfg *config.Config, file string, how publishing) error {
	settings := cfg.Pipelines.Activity
	check, err := activity.NewChecker(settings.Config, time.Now)
	if err != nil {
		return err
	}
	in, size, err := openInput(cmd, file)
	if err != nil {
		return err
	}
	defer in.Close()

	job := &publication{
		name: inputName(file), check: check, longest: settings.MaxPayload, unchecked: how.unchecked,
		errOut: cmd.ErrOrStderr(), bar: newProgress(cmd.ErrOrStderr(), "publishing", size),
	}
	if how.unchecked {
		job.longest = max(job.longest, longestUnchecked)
	}
	done := "published"
	if how.dryRun {
		done, job.send = "would publish", func([]outgoing) error { return nil }
	} else {
		to, err := newSender(cmd.Context(), cfg, how, newLogger(cfg.Log, cmd.ErrOrStderr()))
		if err != nil {
			return err
		}
		defer func() { _ = to.close() }()
		job.send, job.setting = to.send, to.setting
	}

	reading, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	started := time.Now()
	err = job.run(cmd.Context(), newLineReader(in, job.longest).chunks(reading))
	took := time.Since(started)
	fmt.Fprintf(cmd.OutOrStdout(), "%s %d, wrong %d in %s (%.0f/s)\n", done, job.published, job.wrong,
		took.Round(time.Millisecond), float64(job.published)/took.Seconds())
	return err
}

// openInput opens the file, or standard input for "-", and tells its size, -1 where nobody knows it.
func openInput(cmd *cobra.Command, file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		if isTerminal(cmd.InOrStdin()) {
			fmt.Fprintln(cmd.ErrOrStderr(), "Reading JSON lines from the terminal; Ctrl-D ends them.")
		}
		return io.NopCloser(cmd.InOrStdin()), -1, nil
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	size := int64(-1)
	if info, err := in.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return in, size, nil
}

// inputName is what messages call the input.
func inputName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return visible(file)
}

// redisMissing is the error of commands that need nothing but Redis.
func redisMissing() error {
	return usagef("redis.addr is not set (REDIS_ADDR, or redis.addr in leat.yaml, or --redis.addr); leat run --embedded listens on 127.0.0.1:6390")
}
