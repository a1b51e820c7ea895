package redis

import (
	"github.com/redis/go-redis/v9"

	"leat/handlers/activity"
)

// names are those of the keys that a Boards keeps. In a cluster they bear a hash tag: a script may use several keys only if
// they lie on one slot.
type names struct{ tag string }

func namesFor(client redis.UniversalClient) names {
	if _, ok := client.(*redis.ClusterClient); ok {
		return names{tag: "{leat}:"}
	}
	return names{}
}

func (n names) board(board activity.BoardKey) string {
	return "leaderboard:" + n.tag + board.Board + ":" + board.Period
}

func (n names) floors() string { return "leat:" + n.tag + "activity:floor" }

func (n names) markers(source string) string { return "leat:" + n.tag + "activity:counted:" + source }

func (n names) reports(source string) string { return "leat:" + n.tag + "activity:reports:" + source }
