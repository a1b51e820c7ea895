package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	boards "leat/adapters/redis"
	"leat/adapters/sqldb"
	"leat/handlers/activity"
	"leat/handlers/activity/pattern"
	"leat/handlers/delivery"
)

// loop is what somebody would write by hand for this one job: read 500 entries, decode, classify, insert, one call for
// the boards, ack. Two goroutines, no Watermill, no retry, no checks of the input; the same documents and the same
// effects, markers included.
type loop struct {
	client *redis.Client
	store  *sqldb.Store
	boards *boards.Boards
	set    *pattern.Set
	ids    []activity.ID
	names  []string
	zone   *time.Location

	mu    sync.Mutex
	known map[activity.Content]activity.ID
}

const handStream, handGroup = "hand", "hand"

func (s *server) handWritten(ctx context.Context, store database, n int) (float64, error) {
	if err := fillFlat(ctx, s.client, handStream, n); err != nil {
		return 0, err
	}
	if err := s.client.XGroupCreate(ctx, handStream, handGroup, "0").Err(); err != nil {
		return 0, err
	}
	opened, drop, err := store.open(ctx)
	if err != nil {
		return 0, err
	}
	defer drop()
	l := newLoop(s.client, opened)
	started := time.Now()
	errs := make(chan error, 2)
	for worker := range 2 {
		go func() { errs <- l.work(ctx, "worker-"+strconv.Itoa(worker)) }()
	}
	for range 2 {
		if err := <-errs; err != nil {
			return 0, err
		}
	}
	return perSecond(n, started), nil
}

func newLoop(client *redis.Client, store *sqldb.Store) *loop {
	l := &loop{client: client, store: store, boards: boards.NewBoards(client), known: map[activity.Content]activity.ID{}}
	categories := pattern.Builtin()
	l.set, _ = pattern.Compile(categories)
	for _, c := range categories {
		l.ids = append(l.ids, activity.CategoryID(c.Name))
		l.names = append(l.names, c.Name)
	}
	l.zone, _ = time.LoadLocation("Asia/Seoul")
	return l
}

// work runs until the stream has nothing more to give.
func (l *loop) work(ctx context.Context, consumer string) error {
	for {
		streams, err := l.client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: handGroup, Consumer: consumer, Streams: []string{handStream, ">"}, Count: 500, Block: -1,
		}).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.batch(ctx, streams[0].Messages); err != nil {
			return err
		}
	}
}

func (l *loop) batch(ctx context.Context, entries []redis.XMessage) error {
	logs := make([]activity.UsageLog, len(entries))
	categories := make([]int, len(entries))
	fresh := map[activity.Content]activity.CategorizedData{}
	ids := make([]string, len(entries))
	l.mu.Lock()
	for n, entry := range entries {
		ids[n] = entry.ID
		text := func(name string) string { s, _ := entry.Values[name].(string); return s }
		content := activity.Content{App: text("app"), Title: text("title"), URL: text("url")}
		categories[n] = len(l.ids) - 1
		if match, ok := l.set.Match(content.App, content.Title, content.URL); ok {
			categories[n] = match.Category
		}
		id, ok := l.known[content]
		if !ok {
			id = content.ID()
			fresh[content] = activity.CategorizedData{ID: id, Content: content, CategoryID: l.ids[categories[n]]}
			l.known[content] = id
		}
		logs[n] = usageLog(entry.ID, text, id, l.ids[categories[n]])
	}
	l.mu.Unlock()
	if len(fresh) > 0 {
		data := make([]activity.CategorizedData, 0, len(fresh))
		for _, d := range fresh {
			data = append(data, d)
		}
		if _, err := l.store.AddContents(ctx, data); err != nil {
			return err
		}
	}
	if _, err := l.store.AddLogs(ctx, logs); err != nil {
		return err
	}
	if _, err := l.boards.Apply(ctx, []activity.Count{l.count(logs, categories)}); err != nil {
		return err
	}
	return l.client.XAck(ctx, handStream, handGroup, ids...).Err()
}

func usageLog(entry string, text func(string) string, content, category activity.ID) activity.UsageLog {
	position, _ := delivery.ParsePosition(entry)
	sum := sha256.Sum256([]byte(handStream + entry))
	var id activity.ID
	binary.BigEndian.PutUint32(id[:4], uint32(position.Major/1000))
	copy(id[4:], sum[:8])
	duration, _ := strconv.ParseFloat(text("duration"), 64)
	at, _ := strconv.ParseFloat(text("timestamp"), 64)
	session, _ := strconv.Atoi(text("session"))
	minutes, _ := strconv.Atoi(text("sessionMinutes"))
	return activity.UsageLog{
		ID: id, User: text("userId"), CategorizedDataID: content, CategoryID: category, Session: session,
		SessionDate: text("sessionDate"), SessionMinutes: minutes, Timestamp: time.UnixMilli(int64(at * 1000)).UTC(),
		Duration: duration, Source: handStream, Position: position,
	}
}

// count adds the batch up: three boards, three periods.
func (l *loop) count(logs []activity.UsageLog, categories []int) activity.Count {
	type cell struct {
		board activity.BoardKey
		user  string
	}
	sums := map[cell]float64{}
	count := activity.Count{Markers: make([]activity.Marker, len(logs))}
	for n, log := range logs {
		count.Markers[n] = activity.Marker{ID: log.ID, Source: log.Source, Position: log.Position}
		local := log.Timestamp.In(l.zone)
		for _, period := range [...]activity.Period{activity.Day, activity.Week, activity.Month} {
			label := period.Label(local)
			for _, board := range [...]string{l.names[categories[n]], activity.BoardWork, activity.BoardTotal} {
				sums[cell{activity.BoardKey{Board: board, Period: label}, log.User}] += log.Duration
			}
		}
	}
	index := map[activity.BoardKey]int{}
	for c, seconds := range sums {
		n, ok := index[c.board]
		if !ok {
			n = len(count.Boards)
			index[c.board] = n
			count.Boards = append(count.Boards, activity.BoardCount{Board: c.board})
		}
		count.Boards[n].Scores = append(count.Boards[n].Scores, activity.Score{User: c.user, Seconds: seconds})
	}
	return count
}
