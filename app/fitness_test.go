package app

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"leat/adapters/pubsub"
	"leat/config"
	"leat/handlers/fault"
)

// able is a broker that can do everything.
var able = pubsub.Capabilities{
	InFlight: 2000, Positions: true, NackDelay: true, DeliveryCount: true, Order: pubsub.OrderTopic, Durable: true, Shared: true, External: true, Lag: true,
}

func TestFits(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*pubsub.Capabilities)
		warns   string
		refuses string
	}{
		"everything":                      {change: func(*pubsub.Capabilities) {}},
		"no limit of messages in flight":  {change: func(c *pubsub.Capabilities) { c.InFlight = 0 }},
		"batches that cannot fill":        {change: func(c *pubsub.Capabilities) { c.InFlight = 499 }, warns: "raise broker.nats.in_flight"},
		"no positions":                    {change: func(c *pubsub.Capabilities) { c.Positions = false }, warns: "within broker.dedup_window (24h0m0s)"},
		"no count of deliveries":          {change: func(c *pubsub.Capabilities) { c.DeliveryCount = false }, warns: "makes the process crash"},
		"memory":                          {change: func(c *pubsub.Capabilities) { c.Durable, c.DeliveryCount = false, false }, warns: "is lost"},
		"nobody else can publish":         {change: func(c *pubsub.Capabilities) { c.External = false }, warns: "set http.token"},
		"messages smaller than letters":   {change: func(c *pubsub.Capabilities) { c.MaxMessage = 1 << 20 }, warns: "cut to fit"},
		"messages as large as letters":    {change: func(c *pubsub.Capabilities) { c.MaxMessage = 2 << 20 }},
		"messages too small":              {change: func(c *pubsub.Capabilities) { c.MaxMessage = 10_000 }, refuses: "raise the broker's limit"},
		"a hold that outlasts a probe":    {change: func(c *pubsub.Capabilities) { c.MaxHold = time.Minute }},
		"a hold that is less than probes": {change: func(c *pubsub.Capabilities) { c.MaxHold = time.Second }, refuses: "raise broker.nats.max_hold"},
	} {
		t.Run(name, func(t *testing.T) {
			can, cfg := able, config.Default()
			cfg.DLQ.MaxPayload = (2 << 20) - (64 << 10)
			test.change(&can)
			warnings, err := fits(config.NATS, can, cfg.Pipelines.Activity.Pipeline, cfg)
			switch {
			case test.refuses != "":
				require.ErrorContains(t, err, test.refuses)
				require.Equal(t, fault.Invalid, fault.KindOf(err))
			case test.warns != "":
				require.NoError(t, err)
				require.Len(t, warnings, 1)
				require.Contains(t, warnings[0], test.warns)
			default:
				require.NoError(t, err)
				require.Empty(t, warnings)
			}
		})
	}
}

// Positions of two kinds of broker never meet in one source: those of a stream begin anew, or are times.
func TestNamespace(t *testing.T) {
	for _, test := range []struct{ given, kind, want string }{
		{"", config.RedisStream, ""}, {"a", config.RedisStream, "a"}, {"", config.NATS, "nats"}, {"a", config.Kafka, "a:kafka"},
	} {
		require.Equal(t, test.want, namespace(config.Broker{Namespace: test.given}, test.kind))
	}
}
