package activity

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Sample makes up events of users who live through pomodoro sessions, each with habits of their own, so that there is
// something to see where no producer is at hand. It is not safe for concurrent use.
type Sample struct {
	rand   *rand.Rand
	zone   *time.Location
	people []*person
}

// Time of a session is counted in tenths of a second, so that durations add up exactly.
const (
	second = 10
	minute = 60 * second
)

// person is a user in the middle of a session.
type person struct {
	habit
	pace     float64 // how much happens to this person, against the others
	sessions int     // for which the pace stays
	session  int     // its number within the day
	date     string  // the day it began on
	left     int     // time until it ends; 0 between two sessions
	content  Content // in front now
	stay     int     // events for which it stays there
}

// NewSample returns a generator. Generators with the same seed, asked at the same times, return the same events. The
// zone is where the days of sessions begin.
func NewSample(seed uint64, zone *time.Location) *Sample {
	s := &Sample{rand: rand.New(rand.NewPCG(seed, 0x6c656174)), zone: zone}
	for _, habit := range habits {
		p := &person{habit: habit, session: 1, left: habit.minutes * minute / 2}
		p.left += s.rand.IntN(p.left) // they did not all sit down at once
		s.changePace(p)
		s.people = append(s.people, p)
	}
	return s
}

// Next returns an event that happens now, as the flat fields of an entry.
func (s *Sample) Next(now time.Time) []Field {
	p := s.pick()
	day := now.In(s.zone).Format(time.DateOnly)
	if p.left == 0 {
		s.begin(p, day)
	}
	if p.date == "" { // sat down before the first event
		p.date = day
	}
	if p.stay == 0 {
		p.content, p.stay = s.wander(p), 1+s.rand.IntN(6)
	}
	p.stay--
	spent := s.spend(p)
	return []Field{
		{"userId", p.user},
		{"app", p.content.App},
		{"title", p.content.Title},
		{"url", p.content.URL},
		{"duration", strconv.FormatFloat(float64(spent)/10, 'f', 1, 64)},
		{"session", strconv.Itoa(p.session)},
		{"sessionDate", p.date},
		{"sessionMinutes", strconv.Itoa(p.minutes)},
		{"timestamp", epochSeconds(now)},
		{"isEnd", strconv.FormatBool(p.left == 0)},
	}
}

// pick chooses whose event is next, the faster ones more often.
func (s *Sample) pick() *person {
	total := 0.0
	for _, p := range s.people {
		total += p.pace
	}
	at := s.rand.Float64() * total
	for _, p := range s.people {
		if at -= p.pace; at < 0 {
			return p
		}
	}
	return s.people[len(s.people)-1]
}

// begin starts a person's next session. The first one of a day has the number 1.
func (s *Sample) begin(p *person, day string) {
	if p.session++; day != p.date {
		p.session = 1
	}
	p.date, p.left, p.stay = day, p.minutes*minute, 0
	if p.sessions--; p.sessions == 0 {
		s.changePace(p)
	}
}

// changePace gives a person another pace for some sessions: now and then one falls behind or catches up, so that ranks
// change.
func (s *Sample) changePace(p *person) {
	p.pace, p.sessions = math.Exp(s.rand.NormFloat64()*0.8), 1+s.rand.IntN(5)
}

// spend takes 1 to 60 seconds off what is left of the session, all of it if less than a second would stay.
func (s *Sample) spend(p *person) int {
	spent := second + s.rand.IntN(minute-second+1)
	if p.left-spent < second {
		if spent = p.left; spent > minute {
			spent = minute - second
		}
	}
	p.left -= spent
	return spent
}

// wander chooses what a person has in front next.
func (s *Sample) wander(p *person) Content {
	total := 0
	for _, taste := range p.tastes {
		total += taste.weight
	}
	at := s.rand.IntN(total)
	for _, taste := range p.tastes {
		if at -= taste.weight; at < 0 {
			return s.open(taste.pastime, p.browser)
		}
	}
	return Content{}
}

func (s *Sample) open(to pastime, browser string) Content {
	content := Content{App: to.app, Title: to.title, URL: to.url}
	if to.app == "" {
		content.App = browser
	}
	if len(to.things) > 0 {
		name, slug, _ := strings.Cut(to.things[s.rand.IntN(len(to.things))], "|")
		content.Title = strings.ReplaceAll(content.Title, "%s", name)
		content.URL = strings.ReplaceAll(content.URL, "%s", slug)
	}
	if to.app == "" {
		content.Title += " - " + browser
	}
	return content
}

// epochSeconds writes a time as Java writes a double of that size: 1.7604210325E9.
func epochSeconds(t time.Time) string {
	return strings.Replace(strconv.FormatFloat(float64(t.UnixMilli())/1000, 'E', -1, 64), "E+0", "E", 1)
}
