package app

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"leat/adapters/redis"
	"leat/config"
	"leat/handlers/activity"
	"leat/handlers/activity/pattern"
)

// query is what leat leaderboard was asked for.
type query struct {
	board  string
	period string
	date   string
	top    int
	user   string
	json   bool
}

func newLeaderboardCommand() *cobra.Command {
	var ask query
	cmd := &cobra.Command{
		Use:   "leaderboard [BOARD]",
		Short: "Show who spent the most time",
		Long: `Shows a leaderboard of a day, week or month: rank, user and time (h:mm:ss). Users with equal times share a rank and
stand in the order of their ids.

BOARD is work (the work categories together, the default), total, or a category such as Development or Music, in any
case. A category of your own must be written as it is stored.

With --json: {"board":…,"period":…,"label":…,"standings":[{"rank":…,"user":…,"seconds":…}]}; with --user too, "standing"
instead of "standings", which is null when the user is not on the board.

It reads the Redis at redis.addr. While "leat run --embedded" is running, its boards are shown by
  REDIS_ADDR=127.0.0.1:6390 leat leaderboard`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			cfg, _, err := load(cmd)
			if err != nil {
				return err
			}
			ask.board = append(given, activity.BoardWork)[0]
			if cfg.Redis.Addr == "" {
				return redisMissing()
			}
			if cmd.Flags().Changed("user") && cmd.Flags().Changed("top") {
				return usagef("--user and --top exclude each other: a user's row is shown wherever it stands")
			}
			return showLeaderboard(cmd, cfg, ask)
		},
	}
	cmd.Flags().StringVar(&ask.period, "period", "day", "day, week or month")
	cmd.Flags().StringVar(&ask.date, "date", "", "a day of the period, yyyy-MM-dd (default today, in pipelines.activity.time_zone)")
	cmd.Flags().IntVar(&ask.top, "top", 10, "how many rows to show (1 to 10000)")
	cmd.Flags().StringVar(&ask.user, "user", "", "show the row of this user only")
	cmd.Flags().BoolVar(&ask.json, "json", false, "print JSON for machines")
	return cmd
}

func showLeaderboard(cmd *cobra.Command, cfg *config.Config, ask query) error {
	settings := cfg.Pipelines.Activity.Config
	board, known, err := ask.key(settings, time.Now())
	if err != nil {
		return err
	}
	client, err := redis.NewClient(cfg.Redis)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	boards := redis.NewBoards(client)
	if !known {
		some, err := boards.Top(cmd.Context(), board, 1)
		if err != nil {
			return unavailableHint(err, "redis.addr")
		}
		if len(some) == 0 {
			return usagef("there is no board %s in %s. Boards: %s; and your own categories, once time is counted for them",
				visible(board.Board), board.Period, strings.Join(boardNames(settings), ", "))
		}
	}
	answer := leaderboard{Board: board.Board, Period: ask.period, Label: board.Period}
	if ask.user != "" {
		err = answer.rank(cmd.Context(), boards, ask.user)
	} else {
		answer.Standings, err = boards.Top(cmd.Context(), board, ask.top)
	}
	if err != nil {
		return unavailableHint(err, "redis.addr")
	}
	if ask.json {
		return answer.writeJSON(cmd.OutOrStdout(), ask.user != "")
	}
	return answer.write(cmd.OutOrStdout(), ask.user, settings)
}

// key returns the board that is asked for. It is not known if it is neither work nor total nor one of the categories
// that leat knows by itself or by its configuration.
func (q query) key(settings activity.Config, now time.Time) (board activity.BoardKey, known bool, err error) {
	period, err := activity.ParsePeriod(q.period)
	if err != nil {
		return board, false, usagef("--period %q: must be day, week or month", q.period)
	}
	if q.top < 1 || q.top > 10_000 {
		return board, false, usagef("--top %d: must lie between 1 and 10000", q.top)
	}
	zone, err := time.LoadLocation(settings.TimeZone)
	if err != nil {
		return board, false, err
	}
	day := now.In(zone)
	if q.date != "" {
		if day, err = time.Parse(time.DateOnly, q.date); err != nil { // which zone does not matter to a date
			return board, false, usagef("--date %q: must be a day as yyyy-MM-dd", q.date)
		}
	}
	board = activity.BoardKey{Board: q.board, Period: period.Label(day)}
	for _, name := range boardNames(settings) {
		if strings.EqualFold(name, q.board) {
			board.Board, known = name, true
		}
	}
	return board, known, nil
}

// boardNames are the boards that leat knows without asking anyone.
func boardNames(settings activity.Config) []string {
	names := []string{activity.BoardWork, activity.BoardTotal}
	for _, category := range pattern.Builtin() {
		names = append(names, category.Name)
	}
	for _, category := range settings.WorkCategories {
		if !slices.Contains(names, category) {
			names = append(names, category)
		}
	}
	return names
}
