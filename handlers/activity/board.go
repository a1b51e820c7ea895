package activity

import (
	"slices"
	"time"
)

// Names of boards that are not those of a category.
const (
	BoardCategory = "category" // stands for one board per category, by its name
	BoardWork     = "work"     // the work categories together
	BoardTotal    = "total"    // all categories together
)

// scoring says which boards a usage log counts for.
type scoring struct {
	zone     *time.Location
	periods  []Period
	ttl      [3]time.Duration // by Period; 0 keeps boards for ever
	category bool
	total    bool
	work     map[string]bool // by category; empty when there is no work board
}

func newScoring(config Config) (scoring, error) {
	s := scoring{
		ttl:      [3]time.Duration{Day: config.TTL.Day, Week: config.TTL.Week, Month: config.TTL.Month},
		category: slices.Contains(config.Boards, BoardCategory),
		total:    slices.Contains(config.Boards, BoardTotal),
		work:     map[string]bool{},
	}
	var err error
	if s.zone, err = time.LoadLocation(config.TimeZone); err != nil {
		return scoring{}, err
	}
	for _, name := range config.Periods {
		period, err := ParsePeriod(name)
		if err != nil {
			return scoring{}, err
		}
		s.periods = append(s.periods, period)
	}
	if slices.Contains(config.Boards, BoardWork) {
		for _, category := range config.WorkCategories {
			s.work[category] = true
		}
	}
	return s, nil
}

// day returns noon of the day that t lies in: midnight does not exist on every day in every zone. Logs of one day and
// category count for the same boards.
func (s scoring) day(t time.Time) time.Time {
	year, month, day := t.In(s.zone).Date()
	return time.Date(year, month, day, 12, 0, 0, 0, s.zone)
}

// boards returns the boards that time spent on a category on a day counts for, and when each may be forgotten.
func (s scoring) boards(category string, day time.Time) []scoredBoard {
	names := make([]string, 0, 3)
	if s.category && category != BoardWork && category != BoardTotal { // those would count twice on one board
		names = append(names, category)
	}
	if s.work[category] {
		names = append(names, BoardWork)
	}
	if s.total {
		names = append(names, BoardTotal)
	}
	boards := make([]scoredBoard, 0, len(names)*len(s.periods))
	for _, period := range s.periods {
		label := period.Label(day)
		var expireAt time.Time
		if ttl := s.ttl[period]; ttl > 0 {
			expireAt = period.End(day).Add(ttl)
		}
		for _, name := range names {
			boards = append(boards, scoredBoard{BoardKey{Board: name, Period: label}, expireAt})
		}
	}
	return boards
}

type scoredBoard struct {
	BoardKey
	expireAt time.Time
}
