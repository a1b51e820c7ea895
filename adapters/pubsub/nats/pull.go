package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// pull asks a durable consumer for messages, over one subscription that it keeps, so that a message that comes late is not lost.
// It is for one goroutine.
//
// The jetstream package's Fetch makes a subscription for each call and drops what is on the way when its context ends, which
// then waits for ack_wait; its Consume and Messages ask for more on their own account, whether there is room or not.
type pull struct {
	conn     *natsgo.Conn
	subject  string
	inbox    string // each request has its own name below it, so that what the server says late of one is not taken for another
	requests int
	sub      *natsgo.Subscription
	messages chan *natsgo.Msg
	broken   chan natsgo.Status // the connection, and with it what was asked for
	maxBytes int
	timeout  time.Duration
	refused  bool // the last request ended early, without an error
	ended    bool // nothing comes any more
}

const (
	// pullBytes is how many bytes a request asks for, at most, if no single message can be larger.
	pullBytes = 16 << 20
	// statusRoom is for what the server says beside messages.
	statusRoom = 64
	// answerSlack is how much longer than pullWait the server may take to answer.
	answerSlack = time.Second
)

func openPull(conn *natsgo.Conn, d *durable, most int, timeout time.Duration) (*pull, error) {
	p := &pull{
		conn: conn, subject: "$JS.API.CONSUMER.MSG.NEXT." + d.stream + "." + d.name, inbox: conn.NewInbox(), timeout: timeout,
		messages: make(chan *natsgo.Msg, most+statusRoom),
		maxBytes: int(max(pullBytes, 2*conn.MaxPayload())),
	}
	var err error
	p.sub, err = conn.ChanSubscribe(p.inbox+".*", p.messages)
	if err != nil {
		return nil, err
	}
	p.broken = conn.StatusChanged(natsgo.RECONNECTING, natsgo.CLOSED)
	return p, nil
}

// errGone says that nobody answers for the consumer: it or its stream was deleted, or is about to be served elsewhere.
var errGone = errors.New("the durable consumer is gone")

type pullRequest struct {
	Batch    int           `json:"batch"`
	MaxBytes int           `json:"max_bytes"`
	Expires  time.Duration `json:"expires"`
	NoWait   bool          `json:"no_wait"` // as many as there are; the first are waited for until Expires
}

// next returns up to n messages: those that are there, else the first that come within pullWait. It returns soon after ctx ends;
// what is on the way then goes back to the server. After an error, which may come together with messages, the pull must be abandoned.
func (p *pull) next(ctx context.Context, n int) ([]*natsgo.Msg, error) {
	p.refused = false
	request, err := json.Marshal(pullRequest{Batch: n, MaxBytes: p.maxBytes, Expires: pullWait, NoWait: true})
	if err != nil {
		return nil, err
	}
	p.requests++
	reply := p.inbox + "." + strconv.Itoa(p.requests)
	if err := p.conn.PublishRequest(p.subject, reply, request); err != nil {
		return nil, err
	}
	got := make([]*natsgo.Msg, 0, n)
	limit, before := time.NewTimer(pullWait+answerSlack), 0
	defer limit.Stop()
	for len(got) < n {
		select {
		case msg := <-p.messages:
			if _, ok := parsePlace(msg.Reply); ok {
				got = append(got, msg)
				continue
			}
			if msg.Subject != reply {
				continue
			}
			end, err := p.status(msg)
			if end || err != nil {
				return got, err
			}
		case <-p.broken:
			return p.queued(got, n), natsgo.ErrDisconnected
		case <-limit.C:
			if len(got) == before {
				return p.queued(got, n), errors.New("the server does not answer")
			}
			before = len(got)
			limit.Reset(answerSlack)
		case <-ctx.Done():
			return got, errors.Join(ctx.Err(), p.handBack())
		}
	}
	return got, nil
}

// queued adds what has come already.
func (p *pull) queued(got []*natsgo.Msg, n int) []*natsgo.Msg {
	for len(got) < n {
		select {
		case msg := <-p.messages:
			if _, ok := parsePlace(msg.Reply); ok {
				got = append(got, msg)
			}
		default:
			return got
		}
	}
	return got
}

// status reports whether a message that is none ends the request, and whether it says that something is wrong.
func (p *pull) status(msg *natsgo.Msg) (end bool, err error) {
	description := msg.Header.Get("Description")
	switch code := msg.Header.Get("Status"); code {
	case "", "100": // nothing that ends anything
		return false, nil
	case "404":
		return true, nil
	case "408":
		p.refused = strings.Contains(strings.ToLower(description), "pending")
		return true, nil
	case "409":
		text := strings.ToLower(description)
		switch {
		case strings.Contains(text, "consumer deleted"):
			return true, errGone
		case strings.Contains(text, "push based"), strings.Contains(text, "exceeded maxrequest"):
			return true, fmt.Errorf("the server ends reading: %s", description)
		}
		p.refused = !strings.Contains(text, "maxbytes") && !strings.Contains(text, "batch completed")
		return true, nil
	case "503":
		return true, errGone
	default:
		return true, fmt.Errorf("the server refuses to hand out messages: %s %s", code, description)
	}
}

// handBack ends the subscription, and returns what came in the meantime to the server, which delivers it again at once. What
// cannot be returned is delivered again after ack_wait.
func (p *pull) handBack() error {
	if p.ended {
		return nil
	}
	p.ended = true
	defer func() {
		p.conn.RemoveStatusListener(p.broken)
		_ = p.sub.Unsubscribe()
	}()
	if err := p.sub.Drain(); err != nil {
		return err
	}
	if err := p.conn.FlushTimeout(min(p.timeout, 500*time.Millisecond)); err != nil {
		return err
	}
	for {
		select {
		case msg := <-p.messages:
			if _, ok := parsePlace(msg.Reply); ok {
				if err := p.conn.Publish(msg.Reply, nak); err != nil {
					return err
				}
			}
		default:
			return nil
		}
	}
}
