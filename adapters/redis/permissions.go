package redis

import (
	"context"
	_ "embed"
	"strings"

	"github.com/redis/go-redis/v9"

	"leat/handlers/activity"
	"leat/handlers/fault"
)

//go:embed permissions.lua
var permissionsSource string

// checkPermissions tries every command that leaderboards and notes need, in forms that change nothing: pairs are incomplete,
// numbers are none. Its error names each that is refused.
func checkPermissions(ctx context.Context, client redis.UniversalClient) error {
	own := namesFor(client)
	board := own.board(activity.BoardKey{Board: activity.BoardTotal, Period: "permissions"})
	reports, notes := own.reports("permissions"), NewNotes(client, "permissions", "").key
	pipe := client.Pipeline()
	script := pipe.Eval(ctx, permissionsSource, []string{own.floors(), own.markers("permissions"), reports, board})
	pipe.EvalSha(ctx, strings.Repeat("0", 40), []string{own.floors()})
	pipe.HDel(ctx, reports, "")
	pipe.ZRevRangeWithScores(ctx, board, 0, 0)
	pipe.ZRangeByScoreWithScores(ctx, board, &redis.ZRangeBy{Min: "0", Max: "0"})
	pipe.ZScore(ctx, board, "")
	pipe.ZCount(ctx, board, "0", "0")
	pipe.HMGet(ctx, notes, "")
	pipe.Do(ctx, "hset", notes, "a pair", "is", "missing")
	pipe.Do(ctx, "pexpire", notes, "no number")
	pipe.HDel(ctx, notes, "")

	cmds, _ := pipe.Exec(ctx) // each command has an error of its own
	refused, err := refusals(cmds)
	if err != nil {
		return err
	}
	scripted, err := script.StringSlice()
	if err != nil && len(refused) == 0 {
		return err
	}
	if refused = append(refused, scripted...); len(refused) == 0 {
		return nil
	}
	return fault.Invalidf("redis_permissions", "redis refuses what leat needs: %s; allow the user these commands, on keys that begin with leaderboard: and leat:",
		strings.Join(refused, ", "))
}

// refusals returns what the user may not do, and the first error that tells nothing about that.
func refusals(cmds []redis.Cmder) (refused []string, err error) {
	for _, cmd := range cmds {
		err := cmd.Err()
		switch {
		case err == nil, absent(err), redis.HasErrorPrefix(err, "NOSCRIPT"):
		case answered(err) && redis.HasErrorPrefix(err, "NOPERM"):
			refused = append(refused, cmd.Name()+" ("+err.Error()+")")
		case fault.KindOf(classify(err, "")) != fault.Internal:
			return nil, err
		}
	}
	return refused, nil
}
