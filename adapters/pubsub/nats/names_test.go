package nats

import (
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/handlers/fault"
)

func TestCheckTopic(t *testing.T) {
	for topic, says := range map[string]string{
		"pomodoro_pattern_match_stream":     "",
		"pomodoro_pattern_match_stream.dlq": "",
		"a-b.c_d.ü":                         "",
		"":                                  "it is empty",
		".a":                                "it is empty",
		"a..b":                              "it is empty",
		"a.":                                "it is empty",
		"a b":                               "white space",
		"a\tb":                              "white space",
		"a\x00b":                            "control characters",
		"a.*":                               "wildcards",
		"a.>":                               "wildcards",
		"$JS.API.INFO":                      "keeps such subjects",
		"_INBOX.a":                          "keeps such subjects",
		strings.Repeat("a", 256):            "too long",
		strings.Repeat("a.", 100) + "a":     "too long",
		strings.Repeat("a", 255):            "",
	} {
		err := checkTopic(topic)
		if says == "" {
			require.NoError(t, err, topic)
			continue
		}
		require.ErrorContains(t, err, says, "%q", topic)
		require.Equal(t, fault.Invalid, fault.KindOf(err))
	}
}

func TestAssetName(t *testing.T) {
	for name, want := range map[string]string{
		"pomodoro_pattern_match_stream":     "pomodoro_pattern_match_stream",
		"pomodoro_pattern_match_stream.dlq": "pomodoro_pattern_match_stream=2Edlq",
		"a/b\\c d%2E@":                      "a=2Fb=5Cc=20d=252E=40",
		"ü":                                 "=C3=BC",
	} {
		require.Equal(t, want, assetName(name))
	}
	require.Equal(t, "g", durableName("g", "a.b", []string{"a.b"}))
	require.Equal(t, "g@a=2Eb", durableName("g", "a.b", []string{"a.>"}))
	require.Equal(t, "g@a=2Eb", durableName("g", "a.b", []string{"a.b", "c"}))
}

// Two topics never share a stream by their name, whatever they are called.
func FuzzAssetName(f *testing.F) {
	f.Add("a.b", "a_b")
	f.Add("a=2Eb", "a.b")
	f.Fuzz(func(t *testing.T, one, other string) {
		first, second := assetName(one), assetName(other)
		if one != other && first == second {
			t.Fatalf("%q and %q are both %q", one, other, first)
		}
		if strings.ContainsAny(first, " \t\r\n\f.*>/\\@") {
			t.Fatalf("%q is no name", first)
		}
	})
}

func TestTakes(t *testing.T) {
	for _, test := range []struct {
		subject, topic string
		takes          bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a", false}, {"a.b", "a.b.c", false}, {"a.*", "a.b", true}, {"a.*", "a.b.c", false},
		{"a.>", "a.b.c", true}, {"a.>", "a", false}, {">", "a", true}, {"*.b", "a.b", true}, {"b", "a", false},
	} {
		require.Equal(t, test.takes, takes([]string{"other", test.subject}, test.topic), "%s takes %s", test.subject, test.topic)
	}
}

func TestParsePlace(t *testing.T) {
	want := place{sequence: "42", number: 42, delivery: 7, deliveries: 3, publishedAt: 1760421032500000000}
	for reply, ok := range map[string]bool{
		"$JS.ACK.stream.group.3.42.7.1760421032500000000.5":                     true,
		"$JS.ACK._.ACCHASH.stream.group.3.42.7.1760421032500000000.5":           true,
		"$JS.ACK.hub.ACCHASH.stream.group.3.42.7.1760421032500000000.5.x":       true,
		"$JS.ACK.hub.ACCHASH.stream.group.3.42.7.1760421032500000000.5.x.y.z.w": true,
		"$JS.ACK.stream.group.3.42.7.1760421032500000000":                       false,
		"$JS.ACK.stream.group.0.42.7.1760421032500000000.5":                     false,
		"$JS.ACK.stream.group.3.0.7.1760421032500000000.5":                      false,
		"$JS.ACK.stream.group.3.-1.7.1760421032500000000.5":                     false,
		"$JS.ACK.stream.group.3.42.7.x.5":                                       false,
		"_INBOX.abc.1":                                                          false,
		"":                                                                      false,
	} {
		got, is := parsePlace(reply)
		require.Equal(t, ok, is, reply)
		if ok {
			require.Equal(t, want, got, reply)
		}
	}
}

// Servers of every version read and ack a topic whose stream has an escaped name.
func TestTopicWithDots(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		backend := dial(t, quick(address))
		topic := unique(t) + ".of.many-parts"
		t.Cleanup(func() { drop(t, address, topic) })
		broker := join(t, backend, "g.1")
		messages, err := broker.Subscriber.Subscribe(t.Context(), topic)
		require.NoError(t, err)
		require.NoError(t, backend.Publisher().Publish(topic, message.NewMessage("1", []byte("{}"))))
		receive(t, messages).Ack()
		until(t, 10*time.Second, func() bool {
			lag, err := broker.Lag.Lag(t.Context(), topic)
			return err == nil && lag == pubsub.Lag{}
		}, func() string { return "the ack has arrived" })
	})
}
