package nats

import (
	"strconv"
	"strings"
)

// place is what the reply subject of a delivered message tells:
//
//	$JS.ACK.STREAM.CONSUMER.DELIVERIES.SEQUENCE.NUMBER.NANOSECONDS.PENDING
//	$JS.ACK.DOMAIN.ACCOUNT.STREAM.CONSUMER.DELIVERIES.SEQUENCE.NUMBER.NANOSECONDS.PENDING and perhaps more
type place struct {
	sequence    string // in the stream
	number      uint64 // the same
	delivery    uint64 // the consumer counts all that it delivers
	deliveries  int
	publishedAt int64 // nanoseconds
}

const ackPrefix = "$JS.ACK."

// parsePlace reports false for what is not delivered by a consumer, as the server's own messages.
func parsePlace(reply string) (place, bool) {
	rest, ok := strings.CutPrefix(reply, ackPrefix)
	if !ok {
		return place{}, false
	}
	var tokens [11]string
	n := 0
	for token := range strings.SplitSeq(rest, ".") {
		if n < len(tokens) {
			tokens[n] = token
		}
		n++
	}
	first := 2 // stream, consumer
	switch {
	case n >= 9:
		first = 4
	case n != 7:
		return place{}, false
	}
	deliveries, err := strconv.Atoi(tokens[first])
	if err != nil || deliveries < 1 {
		return place{}, false
	}
	number, err := strconv.ParseUint(tokens[first+1], 10, 64)
	if err != nil || number == 0 {
		return place{}, false
	}
	delivery, err := strconv.ParseUint(tokens[first+2], 10, 64)
	if err != nil {
		return place{}, false
	}
	published, err := strconv.ParseInt(tokens[first+3], 10, 64)
	if err != nil {
		return place{}, false
	}
	return place{sequence: tokens[first+1], number: number, delivery: delivery, deliveries: deliveries, publishedAt: published}, true
}
