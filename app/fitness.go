package app

import (
	"fmt"

	"leat/adapters/pubsub"
	"leat/config"
	"leat/handlers/fault"
)

// fits checks what a broker can do against what a pipeline asks of it. It returns what to warn of, a sentence each, or why they
// do not go together.
func fits(kind string, can pubsub.Capabilities, pipeline config.Pipeline, all *config.Config) (warnings []string, err error) {
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	if can.MaxHold > 0 && can.MaxHold < pipeline.Breaker.Probe {
		return nil, fault.Invalidf("max_hold", "broker %s lets a message be held for %s, which is less than one probe of the breaker (%s): raise broker.%s.max_hold or lower the pipeline's breaker.probe",
			kind, can.MaxHold, pipeline.Breaker.Probe, kind)
	}
	if can.MaxMessage > 0 && can.MaxMessage < leastMessage {
		return nil, fault.Invalidf("max_message", "broker %s takes messages of %d bytes at most; a dead letter may need %d: raise the broker's limit", kind, can.MaxMessage, leastMessage)
	}
	if !can.Durable {
		warn("broker %s keeps messages in the memory of this process: what is not finished when it ends is lost", kind)
	}
	if !can.Positions {
		warn("broker %s has no positions: an event that was recorded and not counted when its process died reaches the leaderboards only if it is delivered again within broker.dedup_window (%s), and events need a pomodoroUsageLogId or a message UUID", kind, all.Broker.DedupWindow)
	}
	if !can.DeliveryCount && can.Durable {
		warn("broker %s does not count deliveries: a message that makes the process crash is delivered again for ever; remove it by hand", kind)
	}
	if can.InFlight > 0 && can.InFlight < pipeline.Batch.Size {
		warn("broker %s hands out %d messages at a time, so batches of %d (batch.size) never fill; raise broker.%s.in_flight", kind, can.InFlight, pipeline.Batch.Size, kind)
	}
	if can.MaxMessage > 0 && (all.DLQ.MaxPayload == 0 || all.DLQ.MaxPayload > can.MaxMessage) {
		warn("broker %s takes messages of %d bytes at most: the payloads of dead letters are cut to fit, whatever dlq.max_payload says", kind, can.MaxMessage)
	}
	if !can.External && all.HTTP.Token == "" {
		warn("broker %s is reached over HTTP only: set http.token to be able to publish", kind)
	}
	return warnings, nil
}

// leastMessage is what a dead letter without payload may need: the error, a stack, and the keys that it came with.
const leastMessage = 64 << 10
