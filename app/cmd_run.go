package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"leat/adapters/embedded"
	"leat/config"
)

func newRunCommand() *cobra.Command {
	var embed, live bool
	var rate float64
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the pipelines until a signal ends them",
		Long: `Starts the router and all enabled pipelines. SIGTERM and SIGINT stop it: reading ends, what is in flight is finished
and acked within shutdown.timeout. A second signal ends it at once. SIGHUP reads the patterns again.

With --embedded it needs nothing else: a Redis that redis-cli can reach (embedded.redis_addr) and a SQLite file (below
--data-dir) run inside the process. That is for trying out and for single machines: the stream lives in memory, and
what is in it and not yet recorded is gone when the process ends. Boards are rebuilt from the records at start.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, rest []string) error {
			cfg, _, err := load(cmd)
			if err != nil {
				return err
			}
			if rate, err = sampleRate(rate, cmd.Flags().Changed("sample"), rest); err != nil {
				return err
			}
			return run(cmd, cfg, running{embedded: embed, live: live || embed, rate: rate})
		},
	}
	cmd.Flags().BoolVar(&embed, "embedded", false, "run Redis and the store inside the process, to try leat out")
	cmd.Flags().BoolVar(&live, "live", false, "print a line a second with throughput, lag and the board (always with --embedded)")
	cmd.Flags().Float64Var(&rate, "sample", 0, "with --embedded: feed this many events of made-up users per second (50 without a number)")
	cmd.Flags().Lookup("sample").NoOptDefVal = "50"
	return cmd
}

// sampleRate reads the rate of --sample 200, which a flag that may stand alone leaves behind as an argument.
func sampleRate(rate float64, sampling bool, rest []string) (float64, error) {
	if len(rest) == 1 {
		given, err := strconv.ParseFloat(rest[0], 64)
		if !sampling || err != nil {
			return 0, usagef("unexpected argument %q\nSee 'leat run --help'.", rest[0])
		}
		rate = given
	}
	if !(rate >= 0 && rate <= 1e6) {
		return 0, usagef("--sample %v: a rate is between 0 and 1000000 events per second", rate)
	}
	return rate, nil
}

type running struct {
	embedded, live bool
	rate           float64
}

func run(cmd *cobra.Command, cfg *config.Config, how running) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	logger := newLogger(cfg.Log, cmd.ErrOrStderr())
	goredis.SetLogger(redisLog{logger})
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // until the end: at its default it would end the process
	defer signal.Stop(hangup)
	switch {
	case how.embedded && !embedded.Available:
		return usagef("this build leaves the embedded Redis and store out (-tags noembedded, as the container image does): set redis.addr and store.uri")
	case how.rate > 0 && !how.embedded:
		return usagef("--sample makes up users, who do not belong into a real store: use it with --embedded")
	}
	if how.embedded {
		stop, err := embed(cfg)
		if err != nil {
			return err
		}
		defer stop()
		welcome(out, cfg)
	}
	if err := addresses(cfg); err != nil {
		return err
	}
	program, err := assemble(ctx, cfg, logger, volatile(how.embedded))
	if err == nil {
		err = program.run(ctx, func(ctx context.Context) { program.accompany(ctx, cmd.OutOrStdout(), cfg, how, hangup, logger) })
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // a signal during the start
	}
	if err == nil {
		logger.Info("stopped", "pipelines", len(program.pipelines))
	}
	return err
}

// welcome says where an embedded leat keeps what it has, and how to send it an event.
func welcome(out io.Writer, cfg *config.Config) {
	pipeline := cfg.Pipelines.Activity
	kind := pipeline.BrokerKind(cfg.Broker)
	if kind == config.RedisStream {
		fmt.Fprintf(out, "Embedded mode, for trying out and single machines: the stream is in memory, records are in %s.\n", cfg.Store.URI)
		fmt.Fprintf(out, "Try: redis-cli -u redis://%s XADD %s '*' userId you app Code title main.go duration 60\n", cfg.Redis.Addr, pipeline.Topic)
		return
	}
	fmt.Fprintf(out, "Embedded mode, for trying out and single machines: leaderboards are in memory, records are in %s.\n", cfg.Store.URI)
	fmt.Fprintf(out, "Try: echo '{\"userId\":\"you\",\"app\":\"Code\",\"title\":\"main.go\",\"duration\":60}' | leat publish activity --broker.kind %s\n", kind)
}

// addresses refuses to run without a Redis and a store.
func addresses(cfg *config.Config) error {
	var missing error
	if cfg.Redis.Addr == "" {
		missing = errors.Join(missing, usagef("redis.addr is not set (REDIS_ADDR, or redis.addr in leat.yaml, or --redis.addr)"))
	}
	if cfg.Store.URI == "" {
		missing = errors.Join(missing, usagef("store.uri is not set (MONGO_URI or LEAT_STORE_URI, or store.uri in leat.yaml, or --store.uri): mongodb://…, postgres://… or sqlite:FILE"))
	}
	if missing != nil {
		if !embedded.Available {
			return missing
		}
		return fmt.Errorf("%w\nSet them, or try leat without either: leat run --embedded --sample", missing)
	}
	return nil
}

// accompany does what belongs to the time between start and stop, and returns when the context ends.
func (p *program) accompany(ctx context.Context, out io.Writer, cfg *config.Config, how running, hangup <-chan os.Signal, logger *slog.Logger) {
	for _, pipeline := range p.pipelines {
		logger.Info("pipeline ready", "pipeline", pipeline.name, "broker", pipeline.config.BrokerKind(cfg.Broker), "topic", pipeline.config.Topic,
			"group", pipeline.config.Group, "dlq", pipeline.config.DLQTopic())
	}
	scheme, _, _ := strings.Cut(cfg.Store.URI, ":")
	logger.Info("running", "version", version, "http", p.http.Addr(), "redis", cfg.Redis.Addr, "store", scheme)
	var workers sync.WaitGroup
	defer workers.Wait()
	if how.rate > 0 {
		workers.Go(func() { p.feed(ctx, cfg, how.rate, logger) })
	}
	if how.live {
		workers.Go(func() { p.live(ctx, cfg, out, time.Second) })
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			for _, pipeline := range p.pipelines {
				pipeline.reload()
			}
		}
	}
}
