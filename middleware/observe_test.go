package middleware

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"leat/handlers/delivery"
)

func TestObserve(t *testing.T) {
	registry, metrics := testMetrics()
	var log logs
	h := handlerOf(nil, errUnavailable, errCanceled, nil, errInternal)
	observed := Observe(metrics, log.logger())(h.handle)
	for range 5 {
		msg := messageWith(t.Context())
		msg.Metadata[delivery.KeyPosition] = "17-1"
		_, _ = observed(msg)
	}
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP leat_messages_in_flight Messages delivered and without an outcome.
# TYPE leat_messages_in_flight gauge
leat_messages_in_flight{pipeline="activity"} 0
# HELP leat_messages_total Messages by outcome: ack (dead letters among them), nack, canceled.
# TYPE leat_messages_total counter
leat_messages_total{outcome="ack",pipeline="activity"} 2
leat_messages_total{outcome="canceled",pipeline="activity"} 1
leat_messages_total{outcome="nack",pipeline="activity"} 2
`), "leat_messages_total", "leat_messages_in_flight"))
	count, err := testutil.GatherAndCount(registry, "leat_message_duration_seconds")
	require.NoError(t, err)
	require.Equal(t, 1, count)

	require.Equal(t, []string{ // at debug level: poison and breaker tell the rest
		`level=DEBUG msg="message goes back to the broker" outcome=nack position=17-1 error="the store is down"`,
		`level=DEBUG msg="message goes back to the broker" outcome=canceled position=17-1 error="context canceled"`,
		`level=DEBUG msg="message goes back to the broker" outcome=nack position=17-1 error="a bug"`,
	}, log.lines())
}
