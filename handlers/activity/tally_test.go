package activity

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/handlers/batch"
)

var testConfig = Config{
	TimeZone: "Asia/Seoul", MaxDuration: 24 * time.Hour, MaxFuture: 10 * time.Minute, MaxPayload: 256 << 10,
	Boards: []string{"category", "work", "total"}, Periods: []string{"day", "week", "month"},
	WorkCategories: []string{"Development", "LLM"},
	Patterns:       PatternsConfig{Reload: time.Minute}, Cache: CacheConfig{Size: 1000}, ScoresTopic: "session_score_stream",
}

func testScoring(t *testing.T, change func(*Config)) scoring {
	t.Helper()
	config := testConfig
	change(&config)
	s, err := newScoring(config)
	require.NoError(t, err)
	return s
}

func keysOf(boards []scoredBoard) []BoardKey {
	var keys []BoardKey
	for _, board := range boards {
		keys = append(keys, board.BoardKey)
	}
	return keys
}

func TestBoards(t *testing.T) {
	at := time.Date(2025, 10, 14, 15, 30, 0, 0, time.UTC) // the 15th in Seoul
	for name, test := range map[string]struct {
		category string
		change   func(*Config)
		want     []BoardKey
	}{
		"work": {"Development", func(*Config) {}, []BoardKey{
			{"Development", "2025-10-15"}, {"work", "2025-10-15"}, {"total", "2025-10-15"},
			{"Development", "2025-W42"}, {"work", "2025-W42"}, {"total", "2025-W42"},
			{"Development", "2025-M10"}, {"work", "2025-M10"}, {"total", "2025-M10"},
		}},
		"no work":          {"Game", func(c *Config) { c.Periods = []string{"day"} }, []BoardKey{{"Game", "2025-10-15"}, {"total", "2025-10-15"}}},
		"chosen boards":    {"LLM", func(c *Config) { c.Boards, c.Periods = []string{"work"}, []string{"month"} }, []BoardKey{{"work", "2025-M10"}}},
		"no boards":        {"LLM", func(c *Config) { c.Boards = nil }, nil},
		"another zone":     {"Game", func(c *Config) { c.TimeZone, c.Periods = "UTC", []string{"day"} }, []BoardKey{{"Game", "2025-10-14"}, {"total", "2025-10-14"}}},
		"a category total": {"total", func(c *Config) { c.Periods = []string{"day"} }, []BoardKey{{"total", "2025-10-15"}}},
		"a category work":  {"work", func(c *Config) { c.Periods = []string{"day"} }, []BoardKey{{"total", "2025-10-15"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := testScoring(t, test.change)
			require.Equal(t, test.want, keysOf(s.boards(test.category, s.day(at))))
		})
	}
}

// A day without a midnight is a day all the same.
func TestBoardsOfADayWithoutMidnight(t *testing.T) {
	s := testScoring(t, func(c *Config) {
		c.TimeZone, c.Boards, c.Periods = "America/Sao_Paulo", []string{"total"}, []string{"day"}
	})
	for at, want := range map[string]string{
		"2018-11-04T02:59:59Z": "2018-11-03", "2018-11-04T03:00:00Z": "2018-11-04", "2018-11-05T01:59:59Z": "2018-11-04", "2018-11-05T02:00:00Z": "2018-11-05",
	} {
		instant, err := time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		require.Equal(t, []BoardKey{{"total", want}}, keysOf(s.boards("Game", s.day(instant))), at)
	}
}

func TestBoardsExpire(t *testing.T) {
	s := testScoring(t, func(c *Config) {
		c.Boards, c.TTL = []string{"total"}, TTLConfig{Day: 48 * time.Hour, Month: time.Hour}
	})
	for _, board := range s.boards("Game", s.day(now)) {
		switch board.Period {
		case "2025-10-14":
			require.Equal(t, "2025-10-17T00:00:00+09:00", board.expireAt.Format(time.RFC3339), "two days after the day is over")
		case "2025-M10":
			require.Equal(t, "2025-11-01T01:00:00+09:00", board.expireAt.Format(time.RFC3339))
		default:
			require.Zero(t, board.expireAt)
		}
	}
}

func TestScoringConfig(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.TimeZone = "Asia/Pyeongchang" },
		func(c *Config) { c.Periods = []string{"year"} },
	} {
		config := testConfig
		change(&config)
		_, err := newScoring(config)
		require.Error(t, err)
	}
	problems := map[string]string{}
	Config{TimeZone: "nowhere"}.Validate(func(key, problem string) { problems[key] = problem })
	require.Contains(t, problems, "time_zone")
}

// naive adds one log after the other to each of its boards.
func naive(s scoring, logs []UsageLog) map[BoardKey]map[string]float64 {
	boards := map[BoardKey]map[string]float64{}
	for _, log := range logs {
		for _, board := range s.boards(categoryNames[log.CategoryID], s.day(log.Timestamp)) {
			if log.Duration == 0 {
				continue
			}
			if boards[board.BoardKey] == nil {
				boards[board.BoardKey] = map[string]float64{}
			}
			boards[board.BoardKey][log.User] += log.Duration
		}
	}
	return boards
}

var categoryNames = map[ID]string{
	CategoryID("Development"): "Development", CategoryID("Game"): "Game", CategoryID("Music"): "Music",
}

func randomLogs(random *rand.Rand, n int) []UsageLog {
	var categories []ID
	for id := range categoryNames {
		categories = append(categories, id)
	}
	logs := make([]UsageLog, n)
	for i := range logs {
		logs[i] = UsageLog{
			ID: Content{App: fmt.Sprint(i)}.ID(), User: fmt.Sprint("u", random.IntN(1+n/4)), CategoryID: categories[random.IntN(len(categories))],
			Timestamp: now.Add(-time.Duration(random.IntN(40*24)) * time.Hour), Duration: float64(random.IntN(100)) / 8, // sums are exact
			Source: stream,
		}
	}
	return logs
}

// The tally of a batch says what adding up one log after the other says, and its steps are bounded: each item is in one
// step, and none is large.
func TestTallyIsTheSum(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 3))
		s := testScoring(t, func(c *Config) {
			if random.IntN(2) == 0 {
				c.Boards = []string{"category"}
			}
		})
		logs := randomLogs(random, random.IntN(3000))
		items := make([]*batch.Item[*task], len(logs))
		for n, log := range logs {
			items[n] = &batch.Item[*task]{Value: &task{log: log, recorded: true}}
		}
		counts, members := aggregate{scoring: s}.counts(items, &rules{names: categoryNames})

		sums := map[BoardKey]map[string]float64{}
		at := 0
		for n, count := range counts {
			require.NotEmpty(t, count.Markers)
			require.Len(t, members[n], len(count.Markers))
			scores := 0
			for m, marker := range count.Markers {
				require.Same(t, items[at], members[n][m])
				require.Equal(t, Marker{logs[at].ID, logs[at].Source, logs[at].Position}, marker)
				at++
			}
			for _, board := range count.Boards {
				scores += len(board.Scores)
				if sums[board.Board] == nil {
					sums[board.Board] = map[string]float64{}
				}
				for _, score := range board.Scores {
					sums[board.Board][score.User] += score.Seconds
				}
			}
			require.LessOrEqual(t, scores+len(count.Markers), maxScores+10, "one log may overstep the bound, by its own scores and marker")
		}
		require.Equal(t, len(logs), at)
		require.Equal(t, naive(s, logs), sums, "seed %d", seed)
	}
}

func TestLogsWithoutTimeCountNothing(t *testing.T) {
	tally := newTally(testScoring(t, func(*Config) {}))
	tally.add(&UsageLog{User: "u1", Timestamp: now}, "Game")
	require.Empty(t, tally.take())
}

func BenchmarkTally(b *testing.B) {
	s, err := newScoring(testConfig)
	require.NoError(b, err)
	logs := randomLogs(rand.New(rand.NewPCG(1, 2)), 500)
	b.ReportAllocs()
	for b.Loop() {
		tally := newTally(s)
		for n := range logs {
			tally.add(&logs[n], categoryNames[logs[n].CategoryID])
		}
		_ = tally.take()
	}
}
