package app

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"leat/adapters/pubsub"
	"leat/config"
	"leat/handlers/activity"
)

const (
	sampleSeed = 1
	feedEvery  = 100 * time.Millisecond
)

// feed publishes events of made-up users at the given rate per second until the context ends.
func (p *program) feed(ctx context.Context, cfg *config.Config, perSecond float64, logger *slog.Logger) {
	pipeline := p.pipeline("activity")
	zone, err := time.LoadLocation(cfg.Pipelines.Activity.TimeZone)
	if pipeline == nil || err != nil {
		logger.Warn("no sample events: the pipeline activity is not enabled")
		return
	}
	sample := activity.NewSample(sampleSeed, zone)
	warn := rate.Sometimes{Interval: time.Minute} // Redis being away is told elsewhere
	tick := time.NewTicker(feedEvery)
	defer tick.Stop()
	for due := 0.0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var entries [][]pubsub.Field
		for due += perSecond * feedEvery.Seconds(); due >= 1; due-- {
			var entry []pubsub.Field
			for _, field := range sample.Next(time.Now()) {
				entry = append(entry, pubsub.Field(field))
			}
			entries = append(entries, entry)
		}
		if err := pipeline.broker.Publisher.PublishFields(ctx, pipeline.config.Topic, entries...); err != nil && ctx.Err() == nil {
			warn.Do(func() { logger.Warn("sample events not published", "error", err) })
		}
	}
}

func (p *program) pipeline(name string) *pipeline {
	for _, pipeline := range p.pipelines {
		if pipeline.name == name {
			return pipeline
		}
	}
	return nil
}
