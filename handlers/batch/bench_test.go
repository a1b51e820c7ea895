package batch

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// BenchmarkEngine is what the engine itself costs for each message: 1000 in flight, each in a goroutine that the router
// would have made anyway, through four stages that do nothing.
func BenchmarkEngine(b *testing.B) {
	for _, workers := range []int{1, 4} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			nothing := stage{"nothing", func(context.Context, []*Item[string]) error { return nil }}
			engine := New(Policy[string]{Config: Config{Size: 500, Workers: workers}},
				func(*message.Message) (string, error) { return "", nil }, nothing, nothing, nothing, nothing)
			engine.Start()
			defer func() { require.NoError(b, engine.Close(context.Background())) }()
			msg := message.NewMessage("", nil)
			var failed atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(500)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if engine.Handle(msg) != nil {
						failed.Add(1)
					}
				}
			})
			require.Zero(b, failed.Load())
		})
	}
}
