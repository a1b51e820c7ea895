package pubsub

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// kept is a publisher that keeps what it is given.
type kept struct{ messages []*message.Message }

func (k *kept) Publish(_ string, messages ...*message.Message) error {
	k.messages = append(k.messages, messages...)
	return nil
}

func (*kept) Close() error { return nil }

func TestFlat(t *testing.T) {
	var k kept
	require.NoError(t, Flat{&k}.PublishFields(t.Context(), "scores",
		[]Field{{"userId", "u1"}, {"title", "\"a\"\n한 <b>"}, {"session", "3"}, {"", ""}}, []Field{{"userId", "u2"}}))
	require.Len(t, k.messages, 2)
	require.JSONEq(t, `{"userId":"u1","title":"\"a\"\n한 <b>","session":"3","":""}`, string(k.messages[0].Payload))
	require.JSONEq(t, `{"userId":"u2"}`, string(k.messages[1].Payload))
	require.NotEqual(t, k.messages[0].UUID, k.messages[1].UUID)
}

func TestFlatRefuses(t *testing.T) {
	for name, wrong := range map[string][]Field{
		"no fields":        {},
		"a repeated field": {{"a", "1"}, {"a", "2"}},
		"a wrong name":     {{"\xff", "1"}},
		"a wrong value":    {{"a", "\xff"}},
	} {
		var k kept
		err := Flat{&k}.PublishFields(t.Context(), "scores", []Field{{"userId", "u1"}}, wrong)
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
		require.ErrorContains(t, err, "entry 1")
		require.Empty(t, k.messages, "nothing is published: %s", name)
	}
}

func TestTimeFloor(t *testing.T) {
	now := time.UnixMilli(1_000_000_000)
	for name, test := range map[string]struct {
		oldest time.Time
		want   uint64
	}{
		"nothing in hand":                        {time.Time{}, 1_000_000_000 - 3_600_000},
		"what is in hand came lately":            {now.Add(-time.Minute), 1_000_000_000 - 3_600_000},
		"what is in hand came before the window": {now.Add(-2 * time.Hour), 1_000_000_000 - 7_200_000},
	} {
		require.Equal(t, delivery.Position{Major: test.want}, TimeFloor(now, test.oldest, time.Hour), name)
	}
	require.Zero(t, TimeFloor(time.UnixMilli(1000), time.Time{}, time.Hour), "before the epoch there is nothing")
}

func TestEventNames(t *testing.T) {
	require.Equal(t, "read", EventRead.String())
	require.Equal(t, "returned", EventReturned.String())
	require.Equal(t, "unknown", (EventReturned + 1).String())
}
