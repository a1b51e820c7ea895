package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"

	"leat/adapters/pubsub"
)

const (
	users    = 1000
	contents = 500
)

var sites = [...]string{
	"https://github.com/golang/go/pull/%d", "https://www.youtube.com/watch?v=%d", "https://docs.google.com/document/d/%d",
	"https://stackoverflow.com/questions/%d", "https://news.naver.com/main/read?oid=%d", "https://unknown-%d.example/page",
}

// event returns the fields of the n-th event, the same at every call.
func event(n int) []pubsub.Field {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	content := random.IntN(contents)
	at := time.Date(2025, 10, 14, 3, 0, 0, 0, time.UTC).Add(time.Duration(n) * 100 * time.Millisecond)
	return []pubsub.Field{
		{Name: "userId", Value: "user-" + strconv.Itoa(random.IntN(users))},
		{Name: "app", Value: "Google Chrome"},
		{Name: "title", Value: "Page " + strconv.Itoa(content)},
		{Name: "url", Value: fmt.Sprintf(sites[content%len(sites)], content)},
		{Name: "duration", Value: strconv.FormatFloat(float64(1+random.IntN(600))/10, 'f', 1, 64)},
		{Name: "session", Value: "3"},
		{Name: "sessionDate", Value: "2025-10-14"},
		{Name: "sessionMinutes", Value: "25"},
		{Name: "timestamp", Value: strconv.FormatFloat(float64(at.UnixMilli())/1000, 'E', -1, 64)},
		{Name: "isEnd", Value: "false"},
	}
}

// payload returns the n-th event as JSON.
func payload(n int) []byte {
	fields := map[string]string{}
	for _, field := range event(n) {
		fields[field.Name] = field.Value
	}
	b, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return b
}

// fillFlat empties Redis and fills a stream with n events as flat fields.
func fillFlat(ctx context.Context, client *redis.Client, stream string, n int) error {
	if err := client.FlushDB(ctx).Err(); err != nil {
		return err
	}
	entries := make([][]pubsub.Field, n)
	for i := range entries {
		entries[i] = event(i)
	}
	return newBackend(client).Publisher().PublishFields(ctx, stream, entries...)
}

// fillEnvelopes empties Redis and fills a stream with n events in Watermill's envelope.
func fillEnvelopes(ctx context.Context, client *redis.Client, stream string, n int) error {
	if err := client.FlushDB(ctx).Err(); err != nil {
		return err
	}
	return newBackend(client).Publisher().Publish(stream, envelopes(n)...)
}

// envelopes returns the first n events as messages. They are made once.
func envelopes(n int) []*message.Message {
	for i := len(made); i < n; i++ {
		made = append(made, message.NewMessage(watermill.NewULID(), payload(i)))
	}
	return made[:n]
}

var made []*message.Message
