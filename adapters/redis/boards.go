package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/handlers/activity"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

const floorKey = "leat:activity:floor"

var (
	//go:embed count.lua
	countSource string
	countScript = redis.NewScript(countSource)

	//go:embed floor.lua
	floorSource string
	floorScript = redis.NewScript(floorSource)
)

// reportTTL is how long a worker that fell silent holds the ack floor back.
const reportTTL = time.Minute

// Boards implements activity.Boards. It is safe for concurrent use by any number of processes, each with a Boards of
// its own.
type Boards struct {
	client redis.UniversalClient
	worker string // tells the reports of processes apart
}

var _ activity.Boards = (*Boards)(nil)

// NewBoards returns boards that use the client, which stays the caller's to close.
func NewBoards(client redis.UniversalClient) *Boards {
	return &Boards{client: client, worker: rand.Text()}
}

func boardKey(board activity.BoardKey) string {
	return "leaderboard:" + board.Board + ":" + board.Period
}

func markerKey(source string) string { return "leat:activity:counted:" + source }

func reportKey(source string) string { return "leat:activity:reports:" + source }

// Apply implements activity.Boards: one script a count, all of them in one round trip.
func (b *Boards) Apply(ctx context.Context, counts []activity.Count) ([][]int, error) {
	counted, err := b.apply(ctx, counts)
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err := countScript.Load(ctx, b.client).Err(); err != nil {
			return nil, classify(err, "load the script of the leaderboards")
		}
		counted, err = b.apply(ctx, counts)
	}
	if err != nil {
		return nil, classify(err, "count on the leaderboards")
	}
	return counted, nil
}

func (b *Boards) apply(ctx context.Context, counts []activity.Count) ([][]int, error) {
	pipe := b.client.Pipeline()
	replies := make([]*redis.Cmd, len(counts))
	for n, count := range counts {
		keys, args := countArgs(count)
		replies[n] = pipe.EvalSha(ctx, countScript.Hash(), keys, args...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	counted := make([][]int, len(counts))
	for n, reply := range replies {
		var err error
		if counted[n], err = countReply(reply); err != nil {
			return nil, err
		}
	}
	return counted, nil
}

// countArgs lays a count out as count.lua reads it. Numbers and texts go in as pointers to where they stand: a value would be
// copied to the heap, and there are many.
func countArgs(count activity.Count) (keys []string, args []any) {
	sources := map[string]int{}
	scores := 0
	for _, board := range count.Boards {
		scores += len(board.Scores)
	}
	keys = append(make([]string, 0, 2+len(count.Boards)), floorKey)
	args = append(make([]any, 0, 3+4*len(count.Markers)+2*len(count.Boards)+2*scores), 0)
	for _, marker := range count.Markers {
		if _, ok := sources[marker.Source]; !ok {
			sources[marker.Source] = len(keys)
			keys = append(keys, markerKey(marker.Source))
			args = append(args, marker.Source)
		}
	}
	args[0] = len(sources)
	args = append(args, len(count.Markers))
	texts := make([]string, 0, 2*len(count.Markers))
	for n := range count.Markers {
		marker := &count.Markers[n]
		texts = append(texts, string(marker.ID[:]), marker.Position.Key())
		args = append(args, sources[marker.Source], &texts[2*n], &marker.Position.Major, &texts[2*n+1])
	}
	for _, board := range count.Boards {
		keys = append(keys, boardKey(board.Board))
		expireAt := ""
		if !board.ExpireAt.IsZero() {
			expireAt = strconv.FormatInt(board.ExpireAt.UnixMilli(), 10)
		}
		args = append(args, expireAt, len(board.Scores))
		for n := range board.Scores {
			args = append(args, &board.Scores[n].Seconds, &board.Scores[n].User)
		}
	}
	return keys, args
}

func countReply(cmd *redis.Cmd) ([]int, error) {
	reply, err := cmd.Slice()
	if err != nil {
		return nil, err
	}
	switch reply[0] {
	case "ok":
		return nil, nil
	case "counted":
		counted := make([]int, 0, len(reply)-1)
		for _, index := range reply[1:] {
			counted = append(counted, int(index.(int64))-1)
		}
		return counted, nil
	default:
		return nil, fault.Internalf("wrong_type", "the key %v holds a %v that leat did not write; rename or delete it", reply[1], reply[2])
	}
}

// RaiseFloor implements activity.Boards.
func (b *Boards) RaiseFloor(ctx context.Context, source string, floor delivery.Position) error {
	err := floorScript.Run(ctx, b.client, []string{floorKey, markerKey(source), reportKey(source)},
		source, b.worker, floor.Key(), reportTTL.Milliseconds()).Err()
	return classify(err, "raise the ack floor of "+source)
}

// WithdrawFloor implements activity.Boards.
func (b *Boards) WithdrawFloor(ctx context.Context, source string) error {
	return classify(b.client.HDel(ctx, reportKey(source), b.worker).Err(), "withdraw from the ack floor of "+source)
}

// Ping reports whether Redis answers.
func (b *Boards) Ping(ctx context.Context) error {
	return classify(b.client.Ping(ctx).Err(), "ping")
}

// passing begin the answers of a Redis that cannot serve now, or that this client may not use as it is configured: no
// message is at fault. HasErrorPrefix compares what follows "ERR ".
var passing = [...]string{
	"LOADING", "READONLY", "OOM", "MASTERDOWN", "CLUSTERDOWN", "CROSSSLOT", "TRYAGAIN", "BUSY", "NOREPLICAS", "MISCONF",
	"UNBLOCKED", "MOVED", "ASK", "NOSCRIPT", "max number of clients",
	"NOAUTH", "Protocol error: unauthenticated", "WRONGPASS", "NOPERM", "AUTH", "Client sent AUTH", "DB index", "invalid DB index",
}

// classify gives an error of Redis its kind: what Redis answered about the command itself is internal, everything
// else (connection, timeout, loading, read-only, out of memory, failover, credentials) is unavailable.
func classify(err error, doing string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok || errors.Is(err, context.Canceled) {
		return err
	}
	if _, answered := errors.AsType[redis.Error](err); answered && !slices.ContainsFunc(passing[:], func(prefix string) bool {
		return redis.HasErrorPrefix(err, prefix)
	}) {
		return fault.Internalf("", "redis: %s: %w", doing, err)
	}
	return fault.Unavailablef("redis: %s: %w", doing, err)
}
