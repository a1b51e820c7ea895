package inflight

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMessageContext(t *testing.T) {
	type key struct{}
	ctx := &messageContext{values: context.WithValue(context.Background(), key{}, "v")}
	require.Equal(t, "v", ctx.Value(key{}))
	derived, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	stopped := context.AfterFunc(ctx, func() { t.Error("stopped, but called") })
	require.True(t, stopped())
	require.False(t, stopped())
	called := make(chan struct{})
	context.AfterFunc(ctx, func() { close(called) })
	require.NoError(t, derived.Err())
	ctx.cancel()
	ctx.cancel()
	<-called
	<-derived.Done()
	<-ctx.Done()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	late := make(chan struct{})
	context.AfterFunc(ctx, func() { close(late) })
	<-late
}
