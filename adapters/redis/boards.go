package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"leat/handlers/activity"
	"leat/handlers/delivery"
	"leat/handlers/fault"
)

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
	names  names
	worker string // tells the reports of processes apart
}

var _ activity.Boards = (*Boards)(nil)

// NewBoards returns boards that use the client, which stays the caller's to close. On a cluster's client their keys bear a
// hash tag.
func NewBoards(client redis.UniversalClient) *Boards {
	return &Boards{client: client, names: namesFor(client), worker: rand.Text()}
}

// Apply implements activity.Boards: one script a count, all of them in one round trip. A cluster's client sends again what
// was redirected or lost its answer; of that, what was counted the first time comes back as counted already.
func (b *Boards) Apply(ctx context.Context, counts []activity.Count) ([][]int, error) {
	counted, err := b.apply(ctx, counts, redis.Pipeliner.EvalSha, countScript.Hash())
	if err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		// With its source, the script goes to the server that holds the boards, wherever that is by then.
		counted, err = b.apply(ctx, counts, redis.Pipeliner.Eval, countSource)
	}
	if err != nil {
		return nil, classify(err, "count on the leaderboards")
	}
	return counted, nil
}

type evaluation = func(pipe redis.Pipeliner, ctx context.Context, script string, keys []string, args ...any) *redis.Cmd

func (b *Boards) apply(ctx context.Context, counts []activity.Count, evaluate evaluation, script string) ([][]int, error) {
	pipe := b.client.Pipeline()
	replies := make([]*redis.Cmd, len(counts))
	for n, count := range counts {
		keys, args := b.names.countArgs(count)
		replies[n] = evaluate(pipe, ctx, script, keys, args...)
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
func (n names) countArgs(count activity.Count) (keys []string, args []any) {
	sources := map[string]int{}
	scores := 0
	for _, board := range count.Boards {
		scores += len(board.Scores)
	}
	keys = append(make([]string, 0, 2+len(count.Boards)), n.floors())
	args = append(make([]any, 0, 3+4*len(count.Markers)+2*len(count.Boards)+2*scores), 0)
	for _, marker := range count.Markers {
		if _, ok := sources[marker.Source]; !ok {
			sources[marker.Source] = len(keys)
			keys = append(keys, n.markers(marker.Source))
			args = append(args, marker.Source)
		}
	}
	args[0] = len(sources)
	args = append(args, len(count.Markers))
	texts := make([]string, 0, 2*len(count.Markers))
	for i := range count.Markers {
		marker := &count.Markers[i]
		texts = append(texts, string(marker.ID[:]), marker.Position.Key())
		args = append(args, sources[marker.Source], &texts[2*i], &marker.Position.Major, &texts[2*i+1])
	}
	for _, board := range count.Boards {
		keys = append(keys, n.board(board.Board))
		expireAt := ""
		if !board.ExpireAt.IsZero() {
			expireAt = strconv.FormatInt(board.ExpireAt.UnixMilli(), 10)
		}
		args = append(args, expireAt, len(board.Scores))
		for i := range board.Scores {
			args = append(args, &board.Scores[i].Seconds, &board.Scores[i].User)
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
	err := floorScript.Run(ctx, b.client, []string{b.names.floors(), b.names.markers(source), b.names.reports(source)},
		source, b.worker, floor.Key(), reportTTL.Milliseconds()).Err()
	return classify(err, "raise the ack floor of "+source)
}

// WithdrawFloor implements activity.Boards.
func (b *Boards) WithdrawFloor(ctx context.Context, source string) error {
	return classify(b.client.HDel(ctx, b.names.reports(source), b.worker).Err(), "withdraw from the ack floor of "+source)
}

// Ping reports whether Redis answers.
func (b *Boards) Ping(ctx context.Context) error {
	return classify(b.client.Ping(ctx).Err(), "ping")
}
