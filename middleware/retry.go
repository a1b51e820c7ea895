package middleware

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/fault"
)

// RetryConfig says how often and how fast a failed message is tried again in place.
type RetryConfig struct {
	Attempts   int           `config:"attempts" default:"4" min:"1" max:"100" doc:"how often a message is tried in place, the first time included"`
	Initial    time.Duration `config:"initial" default:"100ms" min:"1ms" doc:"pause before the second attempt"`
	Max        time.Duration `config:"max" default:"5s" min:"1ms" doc:"longest pause between two attempts"`
	Multiplier float64       `config:"multiplier" default:"2" min:"1" doc:"how much longer each pause is than the one before"`
	Jitter     float64       `config:"jitter" default:"0.2" min:"0" max:"1" doc:"share of a pause that is random"`
}

// Validate reports what no single field shows.
func (c RetryConfig) Validate(report func(key, problem string)) {
	if c.Max < c.Initial {
		report("max", "is shorter than initial")
	}
}

// Retry tries messages again that failed as internal or unavailable. What still fails goes on to poison (internal) or
// to the breaker (unavailable), with the number of attempts and the time of the first failure in the error. Watermill's
// Retry knows one policy for every error, does not say when the first attempt failed, and builds its
// backoff for each message even if nothing fails.
func Retry(config RetryConfig, draining <-chan struct{}, retried func(fault.Kind)) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			produced, err := next(msg)
			if err == nil {
				return produced, nil
			}
			first := time.Now()
			for attempt := 1; ; attempt++ {
				kind := fault.KindOf(err)
				again := kind == fault.Internal || kind == fault.Unavailable
				if !again || attempt >= config.Attempts {
					detail := fault.Of(err)
					detail.Attempts, detail.FirstFailure = attempt, first
					return nil, &detail
				}
				if err := sleep(msg.Context(), config.pause(attempt), draining); err != nil {
					return nil, err
				}
				retried(kind)
				if produced, err = next(msg); err == nil {
					return produced, nil
				}
			}
		}
	}
}

// pause is how long to wait after the given attempt, counted from 1.
func (c RetryConfig) pause(attempt int) time.Duration {
	longest := min(float64(c.Max), float64(c.Initial)*math.Pow(c.Multiplier, float64(attempt-1)))
	return time.Duration(longest * (1 - c.Jitter*rand.Float64()))
}
