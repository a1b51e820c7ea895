package amqp

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	stock "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
	rabbit "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct {
		delivery rabbit.Delivery
		uuid     string
		metadata message.Metadata
	}{
		"nothing but a body":     {rabbit.Delivery{}, "", message.Metadata{}},
		"watermill":              {rabbit.Delivery{MessageId: "id", Headers: rabbit.Table{uuidHeader: "u", "a": "b"}}, "u", message.Metadata{"a": "b"}},
		"message_id alone":       {rabbit.Delivery{MessageId: "id"}, "id", message.Metadata{}},
		"a UUID that is no text": {rabbit.Delivery{Headers: rabbit.Table{uuidHeader: int32(7)}}, "7", message.Metadata{}},
		"what the server says is no metadata": {
			rabbit.Delivery{Headers: rabbit.Table{countHeader: int64(3), acquiredHeader: int64(4), "a": ""}}, "", message.Metadata{"a": ""}},
		"addresses":                  {rabbit.Delivery{Headers: rabbit.Table{escape + "CC": "x", "BCC": []any{"a", "b"}}}, "", message.Metadata{"CC": "x", "BCC": `["a","b"]`}},
		"a reserved key in disguise": {rabbit.Delivery{Headers: rabbit.Table{escape + uuidHeader: "x"}}, "", message.Metadata{escape + uuidHeader: "x"}},
		"types": {
			rabbit.Delivery{Headers: rabbit.Table{
				"nil": nil, "bool": true, "int": int64(-5), "byte": byte(7), "float": 1.5, "nan": math.NaN(), "bytes": []byte("é"), "raw": []byte{0xff},
				"time": time.Unix(1760421032, 0), "decimal": rabbit.Decimal{Scale: 2, Value: -105}, "small": rabbit.Decimal{Scale: 3, Value: 7},
				"table": rabbit.Table{"k": []any{int32(1), nil, "x", rabbit.Decimal{Value: 3}}}, "bad": []any{math.Inf(1)},
			}}, "", message.Metadata{
				"nil": "", "bool": "true", "int": "-5", "byte": "7", "float": "1.5", "nan": "NaN", "bytes": "é", "raw": "/w==",
				"time": "2025-10-14T05:50:32Z", "decimal": "-1.05", "small": "0.007",
				"table": `{"k":[1,null,"x","3"]}`, "bad": "[+Inf]",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.delivery.Body = []byte("body")
			msg := decode(&test.delivery)
			require.Equal(t, test.uuid, msg.UUID)
			require.Equal(t, "body", string(msg.Payload))
			require.Equal(t, test.metadata, msg.Metadata)
		})
	}
}

func TestDeliveries(t *testing.T) {
	for name, test := range map[string]struct {
		delivery rabbit.Delivery
		want     int
	}{
		"first":                       {rabbit.Delivery{}, 1},
		"first, newer servers":        {rabbit.Delivery{Headers: rabbit.Table{countHeader: int64(0)}}, 1},
		"again, classic":              {rabbit.Delivery{Redelivered: true}, 2},
		"again, quorum":               {rabbit.Delivery{Redelivered: true, Headers: rabbit.Table{countHeader: int64(4)}}, 5},
		"a number of 32 bits":         {rabbit.Delivery{Headers: rabbit.Table{countHeader: int32(1)}}, 2},
		"what a producer made up":     {rabbit.Delivery{Headers: rabbit.Table{countHeader: "9"}}, 1},
		"what cannot be":              {rabbit.Delivery{Headers: rabbit.Table{countHeader: int64(-9)}}, 1},
		"what cannot be either":       {rabbit.Delivery{Headers: rabbit.Table{countHeader: int64(math.MaxInt64)}}, 1<<30 + 1},
		"again, and a text by chance": {rabbit.Delivery{Redelivered: true, Headers: rabbit.Table{countHeader: "9"}}, 2},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, deliveries(&test.delivery)) })
	}
}

func TestPublishedAt(t *testing.T) {
	at := time.Unix(1760421032, 0)
	require.Equal(t, "1760421032000", publishedAt(&rabbit.Delivery{Timestamp: at}))
	require.Equal(t, "1760421032500", publishedAt(&rabbit.Delivery{Timestamp: at, Headers: rabbit.Table{stampHeader: int64(1760421032500)}}))
	for _, absurd := range []time.Time{{}, time.Unix(0, 0), time.Unix(-5, 0), time.Unix(1<<60, 0)} {
		require.Empty(t, publishedAt(&rabbit.Delivery{Timestamp: absurd}), "%v", absurd)
	}
}

// The stock marshaller reads what we encode, and we read what it writes.
func TestCodecOfStock(t *testing.T) {
	msg := message.NewMessage("uuid-1", []byte{0, 0xff})
	msg.Metadata = message.Metadata{"trace_id": "t", "empty": "", "ü": "値"}
	ours, err := encode(msg, time.Now(), 1000)
	require.NoError(t, err)
	require.EqualValues(t, rabbit.Persistent, ours.DeliveryMode)
	theirs, err := stock.DefaultMarshaler{}.Marshal(msg)
	require.NoError(t, err)
	require.Equal(t, theirs.Headers, ours.Headers)
	require.Equal(t, theirs.Body, ours.Body)
	require.Equal(t, theirs.DeliveryMode, ours.DeliveryMode)
	back, err := stock.DefaultMarshaler{}.Unmarshal(rabbit.Delivery{Headers: ours.Headers, Body: ours.Body})
	require.NoError(t, err)
	require.True(t, msg.Equals(back))
	require.True(t, msg.Equals(decode(&rabbit.Delivery{Headers: theirs.Headers, Body: theirs.Body})))
}

func TestEncodeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		metadata message.Metadata
		payload  int
		code     string
		text     string
	}{
		"the reserved key":       {message.Metadata{uuidHeader: "x"}, 0, "reserved_metadata", uuidHeader},
		"a key that is too long": {message.Metadata{strings.Repeat("k", 256): "x"}, 0, "metadata", "256 bytes"},
		"too much metadata":      {message.Metadata{"k": strings.Repeat("x", 1000)}, 0, "metadata", "frame_max"},
		"too large a payload":    {nil, mostMessage + 1, "message_size", "16777216"},
	} {
		t.Run(name, func(t *testing.T) {
			msg := message.NewMessage("u", make([]byte, test.payload))
			msg.Metadata = test.metadata
			_, err := encode(msg, time.Now(), 1000)
			require.ErrorContains(t, err, test.text)
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			require.Equal(t, test.code, fault.Of(err).Code)
		})
	}
}

// Whatever a producer puts into metadata comes back as it was, and whatever stands in a header becomes text.
func FuzzCodec(f *testing.F) {
	f.Add("uuid", "key", "value", []byte("payload"), int64(3))
	f.Add("", "CC", "\xff", []byte{}, int64(-1))
	f.Add("u", escape+escape+"BCC", "7", []byte{}, int64(0))
	f.Add("u", countHeader, "7", []byte{0xff}, int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, uuid, key, value string, payload []byte, number int64) {
		msg := message.NewMessage(uuid, payload)
		msg.Metadata = message.Metadata{key: value}
		publishing, err := encode(msg, time.Now(), 0)
		if err != nil {
			require.True(t, key == uuidHeader || len(key) > 255 || len(payload) > mostMessage, "%v", err)
			return
		}
		back := decode(&rabbit.Delivery{Headers: publishing.Headers, Body: publishing.Body, MessageId: publishing.MessageId})
		require.Equal(t, uuid, back.UUID)
		require.Equal(t, payload, []byte(back.Payload))
		if key != countHeader && key != acquiredHeader {
			require.Equal(t, message.Metadata{key: value}, back.Metadata)
		}
		foreign := &rabbit.Delivery{Headers: rabbit.Table{
			key: number, countHeader: number, "list": []any{value, payload, rabbit.Table{key: number}},
			"decimal": rabbit.Decimal{Scale: uint8(number), Value: int32(number)},
		}}
		require.Positive(t, deliveries(foreign))
		list := decode(foreign).Metadata["list"]
		require.True(t, utf8.ValidString(list), "%q", list)
	})
}
