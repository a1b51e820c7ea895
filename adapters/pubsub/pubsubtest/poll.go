package pubsubtest

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// until waits until the condition holds. It fails the test when the time is up, with what describe says then.
func until(t testing.TB, most time.Duration, holds func() bool, describe func() string) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(most)
	defer end.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("not within %s: %s", most, describe())
		}
	}
}

// receive returns the next message of any of the channels.
func receive(t testing.TB, s suite, channels ...<-chan *message.Message) *message.Message {
	t.Helper()
	_, msg := receiveFrom(t, time.Now().Add(s.patience), channels...)
	return msg
}

// receiveFrom returns the next message of any of the channels, and which one it was.
func receiveFrom(t testing.TB, deadline time.Time, channels ...<-chan *message.Message) (int, *message.Message) {
	t.Helper()
	end := time.NewTimer(time.Until(deadline))
	defer end.Stop()
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(end.C)}}
	for _, messages := range channels {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(messages)})
	}
	i, value, open := reflect.Select(cases)
	if i == 0 {
		t.Fatal("no message came in time")
	}
	if !open {
		t.Fatalf("channel %d was closed", i)
	}
	return i - 1, value.Interface().(*message.Message)
}

// receiveN returns the next n messages.
func receiveN(t testing.TB, s suite, messages <-chan *message.Message, n int) []*message.Message {
	t.Helper()
	all := make([]*message.Message, 0, n)
	end := time.NewTimer(s.patience)
	defer end.Stop()
	for len(all) < n {
		select {
		case msg, open := <-messages:
			if !open {
				t.Fatalf("the channel was closed after %d messages of %d", len(all), n)
			}
			all = append(all, msg)
		case <-end.C:
			t.Fatalf("%d messages came within %s, not %d", len(all), s.patience, n)
		}
	}
	return all
}

// none holds that no message comes for a while.
func none(t testing.TB, most time.Duration, why string, channels ...<-chan *message.Message) {
	t.Helper()
	end := time.NewTimer(most)
	defer end.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, messages := range channels {
			select {
			case msg, open := <-messages:
				if open {
					t.Fatalf("%s, but message %q came: %v", why, clip(msg), msg.Metadata)
				}
			default:
			}
		}
		select {
		case <-tick.C:
		case <-end.C:
			return
		}
	}
}

// ackUntilQuiet acks what comes, until nothing has come for a while.
func ackUntilQuiet(t testing.TB, s suite, quiet time.Duration, channels ...<-chan *message.Message) {
	t.Helper()
	end := time.NewTimer(quiet)
	defer end.Stop()
	most := time.NewTimer(2 * s.patience)
	defer most.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, messages := range channels {
			select {
			case msg, open := <-messages:
				require.True(t, open, "the channel was closed")
				msg.Ack()
				end.Reset(quiet)
			default:
			}
		}
		select {
		case <-tick.C:
		case <-end.C:
			return
		case <-most.C:
			t.Fatal("messages that are acked come again and again")
		}
	}
}

func clip(msg *message.Message) string {
	return string(msg.Payload[:min(len(msg.Payload), 40)])
}

// publish publishes messages with the payloads "<from>" to "<from+n-1>" in one call.
func (p *process) publish(topic string, from, n int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), p.s.patience)
	defer cancel()
	require.NoError(p.t, p.backend.Publisher().Publish(topic, numbered(ctx, from, n)...), "publish")
}

func numbered(ctx context.Context, from, n int) []*message.Message {
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = message.NewMessageWithContext(ctx, watermill.NewUUID(), fmt.Append(nil, from+i))
	}
	return messages
}

// tally is which payloads came, and how often each.
type tally map[string]int

func tallyOf(messages ...*message.Message) tally {
	t := tally{}
	for _, msg := range messages {
		t[string(msg.Payload)]++
	}
	return t
}

// numbers is the tally of each number from to from+n-1, once.
func numbers(from, n int) tally {
	t := tally{}
	for i := range n {
		t[fmt.Sprint(from+i)] = 1
	}
	return t
}

// ackAll acks messages.
func ackAll(messages ...*message.Message) {
	for _, msg := range messages {
		msg.Ack()
	}
}

// number returns the payload of a numbered message.
func number(t testing.TB, msg *message.Message) int {
	t.Helper()
	n, err := strconv.Atoi(string(msg.Payload))
	require.NoError(t, err)
	return n
}
