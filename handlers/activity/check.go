package activity

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Checker judges payloads before they are published, by the rules by which the pipeline decodes them. It is safe for
// concurrent use.
type Checker struct{ decoder decoder }

// NewChecker returns a checker that judges as a pipeline with this configuration does.
func NewChecker(config Config, now func() time.Time) (Checker, error) {
	zone, err := time.LoadLocation(config.TimeZone)
	if err != nil {
		return Checker{}, err
	}
	return Checker{newDecoder(config, zone, now)}, nil
}

// Check returns the event that the pipeline would make of a payload, or the error, of kind invalid, with which it would
// refuse it. A payload that does not name its event is fine, since the message around it does; the ID of the event
// that is returned means nothing then.
func (c Checker) Check(payload []byte) (Event, error) {
	task, err := c.decoder.decode(message.NewMessage("unpublished", payload))
	if err != nil {
		return Event{}, err
	}
	return task.Event, nil
}

func newDecoder(config Config, zone *time.Location, now func() time.Time) decoder {
	return decoder{
		maxPayload: int(config.MaxPayload), maxDuration: config.MaxDuration.Seconds(), maxFuture: config.MaxFuture,
		zone: zone, now: now,
	}
}
