package kafka

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	stock "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"leat/handlers/fault"
)

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct {
		record   kgo.Record
		uuid     string
		payload  string
		metadata message.Metadata
	}{
		"of the stock adapter":     {kgo.Record{Value: []byte("p"), Headers: []kgo.RecordHeader{header(uuidHeader, "u"), header("k", "v")}}, "u", "p", message.Metadata{"k": "v"}},
		"of a foreign producer":    {kgo.Record{Key: []byte("key"), Value: []byte(`{"userId":"u1"}`)}, "", `{"userId":"u1"}`, message.Metadata{}},
		"null":                     {kgo.Record{}, "", "", message.Metadata{}},
		"a header without a value": {kgo.Record{Headers: []kgo.RecordHeader{{Key: "k"}}}, "", "", message.Metadata{"k": ""}},
		"repeated headers":         {kgo.Record{Headers: []kgo.RecordHeader{header("k", "1"), header(uuidHeader, "a"), header("k", "2"), header(uuidHeader, "b")}}, "b", "", message.Metadata{"k": "2"}},
		"not UTF-8":                {kgo.Record{Value: []byte("\xff\x00"), Headers: []kgo.RecordHeader{header("\xfe", "\xfd")}}, "", "\xff\x00", message.Metadata{"\xfe": "\xfd"}},
		"an empty key of a header": {kgo.Record{Headers: []kgo.RecordHeader{header("", "v")}}, "", "", message.Metadata{"": "v"}},
	} {
		t.Run(name, func(t *testing.T) {
			msg := decode(&test.record)
			require.Equal(t, test.uuid, msg.UUID)
			require.Equal(t, test.payload, string(msg.Payload))
			require.Equal(t, test.metadata, msg.Metadata)
		})
	}
}

// What is delivered again is made anew of the record: what a handler did to the metadata is gone.
func TestDecodeAgain(t *testing.T) {
	record := &kgo.Record{Headers: []kgo.RecordHeader{header("k", "v")}}
	decode(record).Metadata["k"] = "changed"
	require.Equal(t, message.Metadata{"k": "v"}, decode(record).Metadata)
}

func TestEncodeRefusesTheReservedKey(t *testing.T) {
	msg := message.NewMessage("u", nil)
	msg.Metadata[uuidHeader] = "other"
	_, err := encode("t", msg)
	require.Equal(t, fault.Invalid, fault.KindOf(err))
	require.ErrorContains(t, err, uuidHeader)
}

// Both ways with the stock marshaller, for any content.
func FuzzCodec(f *testing.F) {
	f.Add("u", []byte("payload"), "key", "value", "other", "")
	f.Add("", []byte{}, "", "\xff", "_watermill", "\x00")
	f.Fuzz(func(t *testing.T, uuid string, payload []byte, key1, value1, key2, value2 string) {
		msg := message.NewMessage(uuid, payload)
		msg.Metadata = message.Metadata{key1: value1, key2: value2}
		ours, err := encode("t", msg)
		theirs, refusal := stock.DefaultMarshaler{}.Marshal("t", msg)
		require.Equal(t, refusal != nil, err != nil, "both refuse, or none")
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(payload)+len(key1)+len(value1), size(ours))

		read, err := stock.DefaultMarshaler{}.Unmarshal(asConsumed(ours))
		require.NoError(t, err)
		requireSame(t, msg, read)
		value, err := theirs.Value.Encode()
		require.NoError(t, err)
		record := &kgo.Record{Value: value}
		for _, h := range theirs.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
		}
		requireSame(t, msg, decode(record))
	})
}

func asConsumed(record *kgo.Record) *sarama.ConsumerMessage {
	consumed := &sarama.ConsumerMessage{Topic: record.Topic, Value: record.Value}
	for _, h := range record.Headers {
		consumed.Headers = append(consumed.Headers, &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	return consumed
}

func requireSame(t testing.TB, want, got *message.Message) {
	t.Helper()
	metadata := maps.Clone(want.Metadata)
	if _, reserved := metadata[uuidHeader]; reserved { // with an empty value, which neither refuses
		return
	}
	require.Equal(t, want.UUID, got.UUID)
	require.Equal(t, string(want.Payload), string(got.Payload))
	require.Equal(t, metadata, got.Metadata)
}

func TestPublishedAt(t *testing.T) {
	require.Equal(t, "1760421032500", publishedAt(&kgo.Record{Timestamp: time.UnixMilli(1760421032500)}))
	require.Empty(t, publishedAt(&kgo.Record{Timestamp: time.UnixMilli(-1)}))
	require.Empty(t, publishedAt(&kgo.Record{}))
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "A-b_c.9", strings.Repeat("x", 249), "pomodoro.dlq"} {
		require.NoError(t, checkName(name), name)
	}
	for _, name := range []string{"", ".", "..", "a b", "a:b", "ü", "a/b", strings.Repeat("x", 250)} {
		require.Equal(t, fault.Invalid, fault.KindOf(checkName(name)), name)
	}
}
