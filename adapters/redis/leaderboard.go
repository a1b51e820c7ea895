package redis

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"leat/handlers/activity"
)

// maxTies bounds how many users of one score are read in order to sort them: beyond that, which of them are listed
// is up to Redis.
const maxTies = 10_000

// Top implements activity.Boards. It reads one range, and another one only if the last place is shared.
func (b *Boards) Top(ctx context.Context, board activity.BoardKey, n int) ([]activity.Standing, error) {
	if n <= 0 {
		return nil, nil
	}
	key := b.names.board(board)
	rows, err := b.client.ZRevRangeWithScores(ctx, key, 0, int64(n)).Result() // one more than asked for
	if err != nil {
		return nil, classify(err, "read the leaderboard "+key)
	}
	if len(rows) > n && millis(rows[n].Score) == millis(rows[n-1].Score) {
		if rows, err = b.withTies(ctx, key, rows[:n]); err != nil {
			return nil, err
		}
	}
	standings := rank(rows)
	return standings[:min(n, len(standings))], nil
}

// withTies returns the rows with all users that share the last one's score.
func (b *Boards) withTies(ctx context.Context, key string, rows []redis.Z) ([]redis.Z, error) {
	tied := millis(rows[len(rows)-1].Score)
	ties, err := b.client.ZRangeByScoreWithScores(ctx, key, &redis.ZRangeBy{
		Min: lowest(tied), Max: "(" + lowest(tied+1), Count: maxTies,
	}).Result()
	if err != nil {
		return nil, classify(err, "read the leaderboard "+key)
	}
	above := slices.DeleteFunc(rows, func(z redis.Z) bool { return millis(z.Score) == tied })
	return append(above, ties...), nil
}

// Rank implements activity.Boards.
func (b *Boards) Rank(ctx context.Context, board activity.BoardKey, user string) (activity.Standing, bool, error) {
	key := b.names.board(board)
	score, err := b.client.ZScore(ctx, key, user).Result()
	if absent(err) {
		return activity.Standing{}, false, nil
	}
	if err != nil {
		return activity.Standing{}, false, classify(err, "read the leaderboard "+key)
	}
	better, err := b.client.ZCount(ctx, key, lowest(millis(score)+1), "+inf").Result()
	if err != nil {
		return activity.Standing{}, false, classify(err, "read the leaderboard "+key)
	}
	return activity.Standing{Rank: better + 1, User: user, Seconds: seconds(score)}, true, nil
}

// millis rounds a score to whole milliseconds, on which ranks and ties are decided: sums of floating-point seconds differ
// in their last digits with the order of the additions.
func millis(score float64) int64 { return int64(math.Round(score * 1000)) }

func seconds(score float64) float64 { return float64(millis(score)) / 1000 }

// lowest returns the smallest score that millis rounds to ms, exactly, so that what Redis finds in a range of scores is
// what millis says.
func lowest(ms int64) string {
	score := (float64(ms) - 0.5) / 1000
	for millis(score) >= ms {
		score = math.Nextafter(score, math.Inf(-1))
	}
	for millis(score) < ms {
		score = math.Nextafter(score, math.Inf(1))
	}
	return strconv.FormatFloat(score, 'g', -1, 64)
}

func rank(rows []redis.Z) []activity.Standing {
	standings := make([]activity.Standing, len(rows))
	for n, z := range rows {
		standings[n] = activity.Standing{User: z.Member.(string), Seconds: seconds(z.Score)}
	}
	slices.SortFunc(standings, func(a, b activity.Standing) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.User, b.User))
	})
	for n := range standings {
		standings[n].Rank = int64(n + 1)
		if n > 0 && standings[n].Seconds == standings[n-1].Seconds {
			standings[n].Rank = standings[n-1].Rank
		}
	}
	return standings
}
