package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	stock "github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"

	"leat/handlers/activity"
	"leat/handlers/activity/pattern"
)

// oneAtATime is the application that Watermill's documentation leads to: the stock subscriber, and a handler that finds
// or inserts the content, inserts the log and increments three boards, each in a call of its own.
func (s *server) oneAtATime(ctx context.Context, store database, n int) (float64, error) {
	if err := fillEnvelopes(ctx, s.client, stream, n); err != nil {
		return 0, err
	}
	opened, drop, err := store.open(ctx)
	if err != nil {
		return 0, err
	}
	defer drop()
	l := newLoop(s.client, opened)
	subscriber, err := stock.NewSubscriber(stock.SubscriberConfig{
		Client: redis.NewClient(&redis.Options{Addr: s.addr}), ConsumerGroup: group, Consumer: "stock",
	}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: 5 * time.Second}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	var handled atomic.Int64
	all, ended := make(chan struct{}), make(chan error, 1)
	router.AddConsumerHandler("single", stream, subscriber, func(msg *message.Message) error {
		if err := l.single(msg); err != nil {
			return err
		}
		if handled.Add(1) == int64(n) {
			close(all)
		}
		return nil
	})
	started := time.Now()
	go func() { ended <- router.Run(ctx) }()
	select {
	case <-all:
	case err := <-ended:
		return 0, errors.Join(errors.New("the router ended"), err)
	}
	rate := perSecond(n, started)
	if err := router.Close(); err != nil {
		return 0, err
	}
	return rate, <-ended
}

func (l *loop) single(msg *message.Message) error {
	ctx := msg.Context()
	fields := map[string]string{}
	if err := json.Unmarshal(msg.Payload, &fields); err != nil {
		return err
	}
	text := func(name string) string { return fields[name] }
	content := activity.Content{App: text("app"), Title: text("title"), URL: text("url")}
	category := len(l.ids) - 1
	if match, ok := l.set.Match(content.App, content.Title, content.URL); ok {
		category = match.Category
	}
	found, err := l.store.FindContents(ctx, []activity.Content{content})
	if err != nil {
		return err
	}
	if _, ok := found[content]; !ok {
		data := activity.CategorizedData{ID: content.ID(), Content: content, CategoryID: l.ids[category]}
		if _, err := l.store.AddContents(ctx, []activity.CategorizedData{data}); err != nil {
			return err
		}
	}
	log := usageLog("1-1", text, content.ID(), l.ids[category])
	log.ID = activity.Content{App: msg.UUID}.ID()
	if _, err := l.store.AddLogs(ctx, []activity.UsageLog{log}); err != nil {
		return err
	}
	label := activity.Day.Label(log.Timestamp.In(l.zone))
	for _, board := range [...]string{pattern.Builtin()[category].Name, activity.BoardWork, activity.BoardTotal} {
		if err := l.client.ZIncrBy(ctx, "single:"+board+":"+label, log.Duration, log.User).Err(); err != nil {
			return err
		}
	}
	return nil
}
