package nats

import (
	"encoding/json"
	"net/textproto"
	"strings"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	natsgo "github.com/nats-io/nats.go"

	"leat/handlers/fault"
)

const (
	// uuidHeader is where watermill-nats keeps the UUID.
	uuidHeader = "_watermill_message_uuid"
	// exactHeader holds the metadata that headers would change: a JSON object of names to base64.
	exactHeader = "leat_exact"
	// plainMost is how much of a value is sent as a plain header if the exact one is sent beside it.
	plainMost = 1 << 10
	// headerMost is how many bytes of headers a stream takes.
	headerMost = 1<<16 - 1
)

// unsent are headers that tell the server what to do with a message, and do not belong to it. watermill-nats leaves them out, too.
var unsent = map[string]bool{
	natsgo.MsgIdHdr: true, natsgo.ExpectedLastMsgIdHdr: true, natsgo.ExpectedStreamHdr: true,
	natsgo.ExpectedLastSubjSeqHdr: true, natsgo.ExpectedLastSeqHdr: true,
}

// entry is a message of a stream.
type entry struct {
	reply     string // where outcomes are told
	uuid      string // of the producer; empty if it is no Watermill
	payload   []byte
	metadata  message.Metadata // never changed
	malformed string           // why the headers could not be read; the payload is as it came
}

// decode reads a message of the server. It never fails: what cannot be decoded is malformed.
func decode(msg *natsgo.Msg) entry {
	e := entry{reply: msg.Reply, payload: msg.Data}
	e.metadata = make(message.Metadata, len(msg.Header)+8) // some room for what subscriptions add to copies
	for name, values := range msg.Header {
		switch {
		case unsent[name], name == exactHeader:
		case name == uuidHeader:
			e.uuid = values[0]
		default:
			e.metadata[name] = strings.Join(values, ", ")
		}
	}
	if exact := msg.Header[exactHeader]; len(exact) > 0 {
		var values map[string][]byte
		if err := json.Unmarshal([]byte(exact[0]), &values); err != nil || len(exact) > 1 {
			e.malformed = "header " + exactHeader + " is not one JSON object of names to base64"
			return e
		}
		for name, value := range values {
			e.metadata[name] = string(value)
		}
	}
	return e
}

// encode makes what watermill-nats makes of a message. Metadata that a header cannot carry as it is (line ends, white space at its
// ends, names with other characters than headers have) goes into exactHeader as well, and so does, as nothing else, what would
// tell the server something. Errors are of kind Invalid.
func encode(topic string, msg *message.Message) (*natsgo.Msg, error) {
	header := make(natsgo.Header, len(msg.Metadata)+2)
	header[uuidHeader] = []string{msg.UUID}
	var exact map[string][]byte
	size := len(uuidHeader) + len(msg.UUID) + 64
	for name, value := range msg.Metadata {
		if name == uuidHeader || name == exactHeader {
			return nil, fault.Invalidf("reserved_metadata", "nats: message %q has metadata under %s, which is reserved", msg.UUID, name)
		}
		kept := validName(name)
		if !kept || !keeps(value) {
			if !utf8.ValidString(name) {
				return nil, fault.Invalidf("metadata", "nats: message %q has metadata whose name %q is not valid UTF-8", msg.UUID, name)
			}
			if exact == nil {
				exact = make(map[string][]byte)
			}
			exact[name] = []byte(value)
			value = strings.ToValidUTF8(value[:min(len(value), plainMost)], "")
		}
		if kept {
			header[name] = []string{value}
			size += len(name) + len(value) + 4
		}
	}
	if exact != nil {
		text, err := json.Marshal(exact)
		if err != nil {
			return nil, fault.Internalf("metadata", "nats: %w", err)
		}
		header[exactHeader] = []string{string(text)}
		size += len(exactHeader) + len(text) + 4
	}
	if size > headerMost {
		return nil, fault.Invalidf("too_large", "nats: the metadata of message %q needs %d bytes as headers, and a stream takes %d", msg.UUID, size, headerMost)
	}
	return &natsgo.Msg{Subject: topic, Header: header, Data: msg.Payload}, nil
}

// validName reports whether the client sends a header of that name, and the server reads nothing into it.
func validName(name string) bool {
	if name == "" || len(name) >= 5 && strings.EqualFold(name[:5], "nats-") {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"()/,:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return true
}

// keeps reports whether a header brings the value back as it is.
func keeps(value string) bool {
	return !strings.ContainsAny(value, "\r\n") && len(textproto.TrimString(value)) == len(value)
}

// size is how many bytes the message keeps in memory, about.
func size(msg *natsgo.Msg) int {
	n := len(msg.Data) + len(msg.Reply) + 512
	for name, values := range msg.Header {
		for _, value := range values {
			n += len(name) + len(value) + 64
		}
	}
	return n
}
