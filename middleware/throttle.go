package middleware

import (
	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/time/rate"
)

// ThrottleConfig limits how many messages a pipeline handles per second.
type ThrottleConfig struct {
	Rate  float64 `config:"rate" default:"0" min:"0" doc:"messages per second; 0 is no limit"`
	Burst int     `config:"burst" default:"500" min:"1" doc:"messages that may pass at once after a quiet time"`
}

// Throttle is a token bucket that all messages of a pipeline share. A message that waits gives up when its context ends
// or the program drains, which Watermill's Throttle does not: that one waits on a bare ticker.
func Throttle(config ThrottleConfig, draining <-chan struct{}) message.HandlerMiddleware {
	if config.Rate == 0 {
		return func(next message.HandlerFunc) message.HandlerFunc { return next }
	}
	bucket := rate.NewLimiter(rate.Limit(config.Rate), config.Burst)
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			token := bucket.Reserve()
			if wait := token.Delay(); wait > 0 {
				if err := sleep(msg.Context(), wait, draining); err != nil {
					token.Cancel()
					return nil, err
				}
			}
			return next(msg)
		}
	}
}
