// Command bench compares leat with hand-written loops and with the stock subscriber, in one run on one machine: every
// contender runs once a round, in turn, and what counts is the ratio of the medians. It starts a redis-server of its
// own; PostgreSQL is used where LEAT_BENCH_POSTGRES_URI or 127.0.0.1:5432 answers.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

func main() {
	short := flag.Bool("short", false, "fewer messages and rounds, to see that everything works")
	only := flag.String("only", "", "run only the comparison of this name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, *short, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// comparison is one block of the table: contenders that do the same work. The first one is what the others are measured
// against.
type comparison struct {
	name       string
	contenders []contender
}

// contender handles messages and returns how many a second.
type contender struct {
	name string
	run  func(ctx context.Context) (perSecond float64, err error)
}

func bench(ctx context.Context, short bool, only string) error {
	server, err := startRedis(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	size, rounds := full, 5
	if short {
		size, rounds = small, 2
	}
	fmt.Printf("%s %s/%s, %d cores, redis %s; %d rounds, medians (min to max)\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), server.version, rounds)
	comparisons := []comparison{consume(server, size)}
	stores, err := findStores(ctx)
	if err != nil {
		return err
	}
	for _, store := range stores {
		comparisons = append(comparisons, pipeline(server, size, store))
	}
	comparisons = append(comparisons, publish(server, size))
	comparisons = append(comparisons, brokers(ctx, size)...)
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer out.Flush()
	for _, c := range comparisons {
		if only != "" && c.name != only {
			continue
		}
		if err := c.print(ctx, out, rounds); err != nil {
			return err
		}
	}
	return nil
}

// print runs the contenders in turn and prints the block.
func (c comparison) print(ctx context.Context, out *tabwriter.Writer, rounds int) error {
	rates := make([][]float64, len(c.contenders))
	for range rounds {
		for n, contender := range c.contenders {
			runtime.GC()
			rate, err := contender.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", c.name, contender.name, err)
			}
			rates[n] = append(rates[n], rate)
		}
	}
	fmt.Fprintf(out, "%s\tratio\tmessages/s\tmin\tmax\n", c.name)
	for n, contender := range c.contenders {
		slices.Sort(rates[n])
		fmt.Fprintf(out, "  %s\t%.2f\t%.0f\t%.0f\t%.0f\n", contender.name,
			median(rates[n])/median(rates[0]), median(rates[n]), rates[n][0], rates[n][len(rates[n])-1])
	}
	fmt.Fprintln(out, "\t\t\t\t")
	return out.Flush()
}

func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// sizes are how many messages a contender handles in one run.
type sizes struct {
	consume, stock, pipeline, single, publish, broker, brokerStock int
}

var (
	full  = sizes{consume: 200_000, stock: 20_000, pipeline: 60_000, single: 3_000, publish: 100_000, broker: 50_000, brokerStock: 2_000}
	small = sizes{consume: 40_000, stock: 4_000, pipeline: 10_000, single: 500, publish: 10_000, broker: 5_000, brokerStock: 500}
)

func perSecond(n int, since time.Time) float64 { return float64(n) / time.Since(since).Seconds() }
