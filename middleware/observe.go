package middleware

import (
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

const (
	outcomeAck      = "ack" // done, or dead-lettered
	outcomeNack     = "nack"
	outcomeCanceled = "canceled"
)

// Observe counts and times every message by its outcome. It logs only what nobody else does: messages that go back to
// the broker, at debug level, because the breaker already tells why in one line.
func Observe(metrics *PipelineMetrics, logger *slog.Logger) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			started := time.Now()
			metrics.inFlight.Inc()
			produced, err := next(msg)
			metrics.inFlight.Dec()
			metrics.duration.Observe(time.Since(started).Seconds())
			if err == nil {
				metrics.acked.Inc()
				return produced, nil
			}
			outcome := outcomeNack
			if fault.KindOf(err) == fault.Canceled {
				outcome = outcomeCanceled
			}
			metrics.messages.WithLabelValues(outcome).Inc()
			logger.Debug("message goes back to the broker", "outcome", outcome,
				"position", msg.Metadata[delivery.KeyPosition], "error", err)
			return nil, err
		}
	}
}
