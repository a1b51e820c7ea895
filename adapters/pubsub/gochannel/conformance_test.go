package gochannel

import (
	"testing"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/pubsubtest"
)

func TestConformance(t *testing.T) {
	pubsubtest.Run(t, pubsubtest.Harness{
		Kind:    "gochannel",
		Connect: func(testing.TB) pubsub.Backend { return New(quick(), nil) },
	})
}
