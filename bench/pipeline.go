package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"leat/app"
	"leat/config"
)

// pipeline compares the whole activity pipeline, from stream to store and boards.
func pipeline(s *server, size sizes, store database) comparison {
	return comparison{"activity pipeline, " + store.name, []contender{
		{"hand-written loop", func(ctx context.Context) (float64, error) { return s.handWritten(ctx, store, size.pipeline) }},
		{"leat run", func(ctx context.Context) (float64, error) { return s.leatRun(ctx, store, size.pipeline) }},
		{"one at a time: stock subscriber", func(ctx context.Context) (float64, error) { return s.oneAtATime(ctx, store, size.single) }},
	}}
}

// leatRun measures the program with its default configuration, from its first read to its last ack.
func (s *server) leatRun(ctx context.Context, store database, n int) (float64, error) {
	activity := config.Default().Pipelines.Activity
	if err := fillFlat(ctx, s.client, activity.Topic, n); err != nil {
		return 0, err
	}
	uri, drop, err := store.fresh(ctx)
	if err != nil {
		return 0, err
	}
	defer drop()
	running, stop := context.WithCancel(ctx)
	defer stop()
	var log bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- app.Main(running, []string{"run", "--redis.addr", s.addr, "--store.uri", uri, "--http.addr", "127.0.0.1:0", "--log.level", "warn"}, nil, &log, &log)
	}()
	if err := s.waitFirstRead(ctx, activity.Topic, activity.Group, ended, &log); err != nil {
		return 0, err
	}
	started := time.Now()
	if err := s.waitAcked(ctx, activity.Topic, activity.Group, int64(n)); err != nil {
		return 0, err
	}
	rate := perSecond(n, started)
	stop()
	if code := <-ended; code != 0 {
		return 0, fmt.Errorf("leat ended with exit code %d: %s", code, log.String())
	}
	return rate, nil
}

// waitFirstRead returns when the group has been given its first entry.
func (s *server) waitFirstRead(ctx context.Context, stream, group string, ended <-chan int, log *bytes.Buffer) error {
	for {
		groups, err := s.client.XInfoGroups(ctx, stream).Result()
		if err != nil {
			return err
		}
		for _, g := range groups {
			if g.Name == group && g.EntriesRead > 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case code := <-ended:
			return fmt.Errorf("leat ended with exit code %d: %s", code, log.String())
		case <-time.After(time.Millisecond):
		}
	}
}
