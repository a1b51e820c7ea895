package activity

import "time"

// Config is what a user can choose about the pipeline.
type Config struct {
	TimeZone       string         `config:"time_zone" default:"Asia/Seoul" min:"1" doc:"time zone of days, weeks and months"`
	MaxDuration    time.Duration  `config:"max_duration" default:"24h" min:"1s" doc:"longest duration of an event; a longer one is invalid"`
	MaxFuture      time.Duration  `config:"max_future" default:"10m" doc:"how far ahead of the clock a timestamp may lie"`
	MaxPayload     int64          `config:"max_payload" unit:"bytes" default:"256KiB" min:"1KiB" max:"16MiB" doc:"largest event; a larger one is invalid"`
	Boards         []string       `config:"boards" default:"category,work,total" oneof:"category|work|total" doc:"leaderboards that are kept: one of each category, one of all work, one of everything"`
	Periods        []string       `config:"periods" default:"day,week,month" oneof:"day|week|month" min:"1" doc:"periods that each board is kept for"`
	WorkCategories []string       `config:"work_categories" default:"Development,LLM,Documentation,Design,Video Editing,Education,Productivity,Finance,File Management,Browsing,Marketing,System & Utilities,Meetings" doc:"categories that count as work"`
	TTL            TTLConfig      `config:"ttl" doc:"how long the boards of a period are kept after it ended; 0 keeps them"`
	Patterns       PatternsConfig `config:"patterns" doc:"the patterns in the store"`
	Cache          CacheConfig    `config:"cache" doc:"what is remembered of classified content"`
	ScoresTopic    string         `config:"scores_topic" default:"session_score_stream" min:"1" doc:"topic that is told of each session that ended"`
}

// TTLConfig says how long boards are kept after their period ended; 0 is for ever.
type TTLConfig struct {
	Day   time.Duration `config:"day" default:"0s" doc:"boards of a day; counted from its end, 0 keeps them"`
	Week  time.Duration `config:"week" default:"0s" doc:"boards of a week; counted from its end, 0 keeps them"`
	Month time.Duration `config:"month" default:"0s" doc:"boards of a month; counted from its end, 0 keeps them"`
}

// PatternsConfig says how classification follows the patterns in the store.
type PatternsConfig struct {
	Reload time.Duration `config:"reload" default:"1m" min:"1s" doc:"how often the patterns are read again; SIGHUP does so at once"`
}

// CacheConfig bounds what is remembered of content that was classified.
type CacheConfig struct {
	Size int `config:"size" default:"100000" min:"1" max:"10000000" doc:"distinct contents that are remembered"`
}

// Validate reports what no single field shows.
func (c Config) Validate(report func(key, problem string)) {
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		report("time_zone", "is not a known time zone; write it as Asia/Seoul or UTC")
	}
}
