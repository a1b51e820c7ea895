package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"leat/handlers/fault"
)

// Codes of the server (its file error_codes.yml).
const (
	codeUnauthorized         = 13
	codeAuthenticationFailed = 18
	codeAtlas                = 8000 // what Atlas answers to wrong credentials
)

// unavailableCodes say that the server, its replica set or its operator is the reason.
var unavailableCodes = []int{
	6, 7, 89, 91, 189, 9001, 10058, 10107, 11600, 11602, 13435, 13436, 13388, // unreachable, shutting down, not primary
	24, 50, 112, 133, 134, 202, 246, 262, 290, 11601, // too slow, interrupted, in conflict with others
	64, 79, 93, 100, // write concern
	43, 14031, 146, 395, // cursor lost, disk full, memory
	codeUnauthorized, codeAuthenticationFailed, codeAtlas,
}

// invalidCodes say that a document cannot be stored: too large, a key too long, or refused by a validator.
var invalidCodes = []int{121, 10334, 17280, 17419, 17420}

// duplicateCodes say that a unique index has the key already.
var duplicateCodes = []int{11000, 11001, 12582}

// fail gives an error of an operation its kind; nil stays nil. What the context ended is canceled or unavailable,
// however the driver words it.
func (s *Store) fail(ctx context.Context, operation string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return fmt.Errorf("store: %s: %w", operation, err)
	}
	switch ended := ctx.Err(); {
	case errors.Is(ended, context.Canceled):
		return fmt.Errorf("store: %s: %w", operation, ended)
	case ended != nil:
		return fault.Unavailablef("store: %s: took too long: %w", operation, err)
	case s.closed.Load():
		return fault.Unavailablef("store: %s: the store is closed: %w", operation, err)
	}
	return &fault.Error{Kind: kindOf(err), Err: fmt.Errorf("store: %s: %w", operation, err)}
}

func kindOf(err error) fault.Kind {
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) || errors.Is(err, mongo.ErrClientDisconnected) {
		return fault.Unavailable
	}
	if unreachable(err) {
		return fault.Unavailable
	}
	if errors.Is(err, driver.ErrDocumentTooLarge) {
		return fault.Invalid
	}
	codes := codesOf(err)
	has := func(list []int) bool {
		return slices.ContainsFunc(codes, func(c int) bool { return slices.Contains(list, c) })
	}
	switch labeled, ok := errors.AsType[mongo.LabeledError](err); {
	case ok && (labeled.HasErrorLabel("RetryableWriteError") || labeled.HasErrorLabel("TransientTransactionError") ||
		labeled.HasErrorLabel("SystemOverloadedError")):
		return fault.Unavailable
	case has(unavailableCodes):
		return fault.Unavailable
	case has(invalidCodes):
		return fault.Invalid
	}
	return fault.Internal
}

// unreachable reports whether no connection to the right server could be had.
func unreachable(err error) bool {
	_, selection := errors.AsType[topology.ServerSelectionError](err)
	_, connection := errors.AsType[topology.ConnectionError](err)
	_, pool := errors.AsType[topology.WaitQueueTimeoutError](err)
	return selection || connection || pool
}

// codesOf returns all codes of the server in an error.
func codesOf(err error) []int {
	var codes []int
	if failed, ok := errors.AsType[mongo.CommandError](err); ok {
		codes = append(codes, int(failed.Code))
	}
	if failed, ok := errors.AsType[driver.Error](err); ok { // while it connects
		codes = append(codes, int(failed.Code))
	}
	if failed, ok := errors.AsType[mongo.BulkWriteException](err); ok {
		for _, one := range failed.WriteErrors {
			codes = append(codes, one.Code)
		}
		if failed.WriteConcernError != nil {
			codes = append(codes, 64)
		}
	}
	if failed, ok := errors.AsType[mongo.WriteException](err); ok {
		for _, one := range failed.WriteErrors {
			codes = append(codes, one.Code)
		}
		if failed.WriteConcernError != nil {
			codes = append(codes, 64)
		}
	}
	return codes
}

// refused reports whether the credentials are wrong or the user may not do what leat needs.
func refused(err error) bool {
	return slices.ContainsFunc(codesOf(err), func(code int) bool {
		return code == codeUnauthorized || code == codeAuthenticationFailed || code == codeAtlas
	})
}

// duplicates returns the indices of the documents of an unordered write whose key exists, if that is all that
// went wrong; else it returns the error.
func duplicates(err error) ([]int, error) {
	if err == nil {
		return nil, nil
	}
	failed, ok := errors.AsType[mongo.BulkWriteException](err)
	if !ok || failed.WriteConcernError != nil {
		return nil, err
	}
	indices := make([]int, len(failed.WriteErrors))
	for i, one := range failed.WriteErrors {
		if !slices.Contains(duplicateCodes, one.Code) {
			return nil, err
		}
		indices[i] = one.Index
	}
	return indices, nil
}
