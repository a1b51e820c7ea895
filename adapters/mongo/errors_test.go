package mongo

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"leat/handlers/fault"
)

// writeErrors is the error of an unordered write.
func writeErrors(codes ...int) mongo.BulkWriteException {
	var failed mongo.BulkWriteException
	for i, code := range codes {
		failed.WriteErrors = append(failed.WriteErrors, mongo.BulkWriteError{WriteError: mongo.WriteError{Index: 10 * i, Code: code, Message: "message"}})
	}
	return failed
}

func TestKinds(t *testing.T) {
	concern := mongo.BulkWriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64, Message: "waiting for replication timed out"}}
	for name, test := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"network":             {mongo.CommandError{Labels: []string{"NetworkError"}}, fault.Unavailable},
		"not primary":         {mongo.CommandError{Code: 10107}, fault.Unavailable},
		"shutting down":       {mongo.CommandError{Code: 91}, fault.Unavailable},
		"too slow":            {mongo.CommandError{Code: 50}, fault.Unavailable},
		"retryable":           {mongo.CommandError{Code: 1, Labels: []string{"RetryableWriteError"}}, fault.Unavailable},
		"credentials changed": {driver.Error{Code: 18}, fault.Unavailable},
		"a right was revoked": {mongo.CommandError{Code: 13}, fault.Unavailable},
		"disk full":           {writeErrors(14031), fault.Unavailable},
		"no majority":         {concern, fault.Unavailable},
		"no server":           {topology.ServerSelectionError{Wrapped: errors.New("none")}, fault.Unavailable},
		"no connection":       {topology.ConnectionError{Wrapped: errors.New("reset")}, fault.Unavailable},
		"the pool is used up": {topology.WaitQueueTimeoutError{Wrapped: context.DeadlineExceeded}, fault.Unavailable},
		"client closed":       {mongo.ErrClientDisconnected, fault.Unavailable},
		"too large":           {writeErrors(11000, 10334), fault.Invalid},
		"too large to send":   {driver.ErrDocumentTooLarge, fault.Invalid},
		"refused by schema":   {mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 121}}}, fault.Invalid},
		"a wrong command":     {mongo.CommandError{Code: 9}, fault.Internal},
		"anything else":       {errors.New("what"), fault.Internal},
	} {
		store := &Store{}
		err := store.fail(t.Context(), "test", test.err)
		require.Equal(t, test.want, fault.KindOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, "store: test: ")
	}
}

func TestDuplicates(t *testing.T) {
	indices, err := duplicates(writeErrors(11000, 11001, 11000))
	require.NoError(t, err)
	require.Equal(t, []int{0, 10, 20}, indices)

	indices, err = duplicates(nil)
	require.NoError(t, err)
	require.Empty(t, indices)

	late := writeErrors(11000)
	late.WriteConcernError = &mongo.WriteConcernError{Code: 64}
	for _, failed := range []error{writeErrors(11000, 121), late, errors.New("what")} {
		_, err = duplicates(failed)
		require.Equal(t, failed, err)
	}
}
