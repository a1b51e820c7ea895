package redisstream

import (
	"context"
	"os"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
)

type fakeSub struct {
	n     int
	ch    chan *message.Message
	batch int
}

func (f *fakeSub) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	f.ch = make(chan *message.Message, 2000)
	go func() {
		var pending []*message.Message
		for range f.n {
			m := message.NewMessage("", nil)
			f.ch <- m
			pending = append(pending, m)
			if len(pending) == 500 {
				for _, p := range pending {
					<-p.Acked()
				}
				pending = pending[:0]
			}
		}
	}()
	return f.ch, nil
}
func (f *fakeSub) Close() error { close(f.ch); return nil }

func TestTuneRouter(t *testing.T) {
	if os.Getenv("TUNE") == "" {
		t.Skip()
	}
	const n = 400_000
	for range 3 {
		c := cpu()
		d := route(t, &fakeSub{n: n}, "x", n)
		t.Logf("router %7.0f/s cpu %.2fus", n/d.Seconds(), float64((cpu()-c).Microseconds())/n)
	}
}
