package nats

import (
	"net/textproto"
	"strings"
	"testing"

	stock "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

// through sends a message to a server and back, as far as its headers are concerned.
func through(t testing.TB, sent *natsgo.Msg) *natsgo.Msg {
	t.Helper()
	wire := []byte("NATS/1.0\r\n")
	for name, values := range sent.Header {
		for _, value := range values {
			wire = append(wire, name+": "+strings.NewReplacer("\r", " ", "\n", " ").Replace(textproto.TrimString(value))+"\r\n"...)
		}
	}
	header, err := natsgo.DecodeHeadersMsg(append(wire, "\r\n"...))
	require.NoError(t, err)
	return &natsgo.Msg{Subject: sent.Subject, Header: header, Data: sent.Data, Reply: "reply"}
}

var hardMetadata = message.Metadata{
	"plain": "v", "empty": "", "unicode": "ü 値", "lines": "one\ntwo\r\nthree", "padded": " v\t", "a name": "with space", "colon:": "x",
	"Nats-Rollup": "all", "nats-ttl": "1s", "Nats-Msg-Id": "id", "Status": "503", "binary": "\xff\x00\xfe", "long": strings.Repeat("line\n", 500),
}

func TestRoundTrip(t *testing.T) {
	sent := message.NewMessage("u1", []byte("payload"))
	for name, value := range hardMetadata {
		sent.Metadata[name] = value
	}
	msg, err := encode("topic", sent)
	require.NoError(t, err)
	for name := range msg.Header {
		require.False(t, strings.HasPrefix(strings.ToLower(name), "nats-"), "header %s would tell the server something", name)
	}
	got := decode(through(t, msg))
	require.Equal(t, entry{reply: "reply", uuid: "u1", payload: []byte("payload"), metadata: hardMetadata}, got)
}

// What a header can carry the stock marshaler reads as it was, and what it cannot, in one line.
func TestStockReadsOurs(t *testing.T) {
	sent := message.NewMessage("u1", []byte("payload"))
	sent.Metadata = message.Metadata{"trace": "t1", "stack": "one\ntwo"}
	msg, err := encode("topic", sent)
	require.NoError(t, err)
	got, err := (&stock.NATSMarshaler{}).Unmarshal(through(t, msg))
	require.NoError(t, err)
	require.Equal(t, "u1", got.UUID)
	require.Equal(t, "payload", string(got.Payload))
	require.Equal(t, "t1", got.Metadata["trace"])
	require.Equal(t, "one two", got.Metadata["stack"])
}

func TestDecode(t *testing.T) {
	for name, test := range map[string]struct {
		header natsgo.Header
		want   entry
	}{
		"a foreign producer": {nil, entry{metadata: message.Metadata{}}},
		"several values":     {natsgo.Header{"k": {"a", "b"}}, entry{metadata: message.Metadata{"k": "a, b"}}},
		"what the server is told": {natsgo.Header{
			"Nats-Msg-Id": {"1"}, "Nats-Expected-Stream": {"s"}, "Nats-Expected-Last-Sequence": {"1"}, uuidHeader: {"u"},
		}, entry{uuid: "u", metadata: message.Metadata{}}},
		"exact wins": {natsgo.Header{"k": {"a b"}, exactHeader: {`{"k":"YQpi"}`}}, entry{metadata: message.Metadata{"k": "a\nb"}}},
		"broken": {natsgo.Header{"k": {"v"}, exactHeader: {`{`}}, entry{
			metadata: message.Metadata{"k": "v"}, malformed: "header leat_exact is not one JSON object of names to base64",
		}},
		"no base64": {natsgo.Header{exactHeader: {`{"k":"?"}`}}, entry{
			metadata: message.Metadata{}, malformed: "header leat_exact is not one JSON object of names to base64",
		}},
		"twice": {natsgo.Header{exactHeader: {`{}`, `{}`}}, entry{
			metadata: message.Metadata{}, malformed: "header leat_exact is not one JSON object of names to base64",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.payload = []byte("raw")
			require.Equal(t, test.want, decode(&natsgo.Msg{Header: test.header, Data: []byte("raw")}))
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, metadata := range map[string]message.Metadata{
		"reserved_metadata": {uuidHeader: "x"},
		"metadata":          {"\xff": "x"},
		"too_large":         {"k": strings.Repeat("x", headerMost)},
	} {
		msg := message.NewMessage("u", nil)
		msg.Metadata = metadata
		_, err := encode("topic", msg)
		require.Equal(t, fault.Invalid, fault.KindOf(err), name)
		require.Equal(t, name, fault.Of(err).Code)
	}
}

// Whatever the metadata is, it comes back as it was; and whatever headers say, they are decoded or called malformed.
func FuzzCodec(f *testing.F) {
	for name, value := range hardMetadata {
		f.Add("u", name, value)
	}
	f.Fuzz(func(t *testing.T, uuid, name, value string) {
		decode(&natsgo.Msg{Header: natsgo.Header{name: {value}, exactHeader: {value}, uuidHeader: {uuid}}})
		if !keeps(uuid) { // UUIDs are the caller's, and no free text
			return
		}
		msg := message.NewMessage(uuid, []byte("p"))
		msg.Metadata[name] = value
		encoded, err := encode("topic", msg)
		if err != nil {
			require.Equal(t, fault.Invalid, fault.KindOf(err))
			return
		}
		got := decode(through(t, encoded))
		require.Empty(t, got.malformed)
		require.Equal(t, uuid, got.uuid)
		require.Equal(t, message.Metadata{name: value}, got.metadata)
	})
}
