package middleware

import (
	"errors"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"leat/handlers/fault"
)

func TestRecover(t *testing.T) {
	produced, err := Recover(func(*message.Message) ([]*message.Message, error) {
		panic(errors.New("index out of range"))
	})(messageWith(t.Context()))
	require.Nil(t, produced)
	require.EqualError(t, err, "panic: index out of range", "the stack is no part of the text")
	detail := fault.Of(err)
	require.Equal(t, fault.Internal, detail.Kind)
	require.Contains(t, string(detail.Stack), "TestRecover")
}

func TestRecoverPassesOn(t *testing.T) {
	want := []*message.Message{message.NewMessage("1", nil)}
	produced, err := Recover(func(*message.Message) ([]*message.Message, error) { return want, errInvalid })(messageWith(t.Context()))
	require.Equal(t, want, produced)
	require.Equal(t, errInvalid, err)
}
