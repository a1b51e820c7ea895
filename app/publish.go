package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"leat/adapters/pubsub"
	"leat/handlers/activity"
)

// publication publishes lines of input as events, and counts.
type publication struct {
	name      string // of the input
	check     activity.Checker
	longest   int64  // bytes of a line that is read
	unchecked bool   // wrong lines are sent too
	setting   string // names what they are sent to, for advice when it is away; empty where errors give their own
	send      func([]outgoing) error
	errOut    io.Writer
	bar       progress

	published int64 // lines
	wrong     int64
	withheld  int64 // wrong lines that were not published
	done      int64 // number of the last line that is done with
}

// outgoing is a line that is to be published.
type outgoing struct {
	payload []byte
	event   activity.Event
	wrong   bool // the pipeline will refuse it; event is empty
}

// run publishes until the input ends, the context ends, or publishing fails. Each chunk is published as a whole: the end
// of the context is heeded between two.
func (p *publication) run(ctx context.Context, chunks <-chan chunk) error {
	defer p.bar.clear()
	for {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted after line %d of %s: the %d lines published so far are complete", p.done, p.name, p.published)
		}
		select {
		case <-ctx.Done():
		case next, ok := <-chunks:
			if !ok {
				continue // the context has ended
			}
			if err := p.publish(next.lines); err != nil {
				return err
			}
			p.bar.at(next.read)
			if errors.Is(next.err, io.EOF) {
				return p.complaint()
			}
			if next.err != nil {
				return fmt.Errorf("reading ended after line %d, with %d lines published: %w", p.done, p.published, next.err)
			}
		}
	}
}

func (p *publication) publish(lines []line) error {
	batch := make([]outgoing, 0, len(lines))
	for _, next := range lines {
		if out, ok := p.judge(next); ok {
			batch = append(batch, out)
		}
	}
	if len(batch) > 0 {
		if err := p.send(batch); err != nil {
			return fmt.Errorf("publishing failed at lines %d to %d of %s (all, some or none of them arrived), after %d that arrived: %w",
				p.done+1, lines[len(lines)-1].number, p.name, p.published, p.advise(err))
		}
	}
	p.published += int64(len(batch))
	if len(lines) > 0 {
		p.done = lines[len(lines)-1].number
	}
	return nil
}

// advise adds what to do about an outage.
func (p *publication) advise(err error) error {
	if p.setting == "" {
		return err
	}
	return unavailableHint(err, p.setting)
}

// judge returns what is to be published of a line, if anything is, and reports what is wrong with it.
func (p *publication) judge(next line) (outgoing, bool) {
	out, problem := rules{"line", p.check, p.longest}.judge(next.text, next.size)
	if problem == nil {
		return out, len(out.payload) > 0
	}
	p.report(next, problem)
	publish := p.unchecked && len(out.payload) > 0
	if !publish {
		p.withheld++
	}
	return out, publish
}

// rules judge events before they are published.
type rules struct {
	what    string // they call an event
	check   activity.Checker
	longest int64 // bytes of an event
}

// judge returns what is to be published of a text, and what is wrong with it. Nothing is to be published of one that is empty, which is
// not wrong, and of one that is too long, whose text may be absent.
func (r rules) judge(text []byte, size int64) (outgoing, error) {
	if size > r.longest {
		return outgoing{}, fmt.Errorf("the %s has %d bytes; at most %d are allowed", r.what, size, r.longest)
	}
	payload := bytes.TrimSpace(text)
	if len(payload) == 0 {
		return outgoing{}, nil
	}
	event, err := r.check.Check(payload)
	if err != nil {
		return outgoing{payload: payload, wrong: true}, err
	}
	return outgoing{payload: payload, event: event}, nil
}

func (p *publication) report(wrong line, problem error) {
	p.wrong++
	p.bar.clear()
	fmt.Fprintf(p.errOut, "%s:%d: %s\n", p.name, wrong.number, visible(problem.Error()))
}

// complaint is the error of a run that came to its end but left lines out.
func (p *publication) complaint() error {
	switch p.withheld {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("1 wrong line of %s was not published", p.name)
	default:
		return fmt.Errorf("%d wrong lines of %s were not published", p.withheld, p.name)
	}
}

// sendEnvelopes publishes lines in Watermill's envelope, unchanged.
func sendEnvelopes(publisher message.Publisher, topic string) func([]outgoing) error {
	return func(lines []outgoing) error {
		messages := make([]*message.Message, len(lines))
		for n, line := range lines {
			messages[n] = message.NewMessage(line.uuid(), line.payload)
		}
		return publisher.Publish(topic, messages...)
	}
}

// uuid names the event of the line. An event that says when it was is the same one whenever its line is published;
// one that does not is a new one each time.
func (l outgoing) uuid() string {
	if !l.event.Dated {
		return watermill.NewUUID()
	}
	return uuidOf("leat publish", l.payload)
}

// uuidOf derives a UUID from a purpose and what is named.
func uuidOf(purpose string, parts ...[]byte) string {
	hash := sha256.New()
	hash.Write([]byte(purpose))
	for _, part := range parts {
		hash.Write([]byte{0})
		hash.Write(part)
	}
	id := hash.Sum(nil)[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: derived by a rule of one's own
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// sendFields publishes lines as entries of flat fields. What could not be taken apart without changing how the pipeline
// judges it goes whole in one field, which the pipeline reads as well: wrong lines, those that are no object, and those so
// long that they could grow over maxPayload when every value is quoted and escaped anew.
func sendFields(publisher pubsub.FlatPublisher, topic string, maxPayload int64) func([]outgoing) error {
	const growth = 4
	return func(lines []outgoing) error {
		entries := make([][]pubsub.Field, len(lines))
		for n, line := range lines {
			flat, ok := activity.Flat(line.payload)
			if !ok || line.wrong || int64(len(line.payload)) > maxPayload/growth {
				flat = []activity.Field{{Name: "payload", Value: string(line.payload)}}
			}
			for _, field := range flat {
				entries[n] = append(entries[n], pubsub.Field(field))
			}
		}
		return publisher.PublishFields(context.Background(), topic, entries...)
	}
}
