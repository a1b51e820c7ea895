package middleware

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/fault"
)

// Recover turns a panic of the handler into an error of kind internal that carries the stack. Watermill's Recoverer
// puts the stack into the error's text, where it would reach logs and one-line listings.
func Recover(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) (produced []*message.Message, err error) {
		defer func() {
			if value := recover(); value != nil {
				produced, err = nil, fault.Recovered(value)
			}
		}()
		return next(msg)
	}
}
