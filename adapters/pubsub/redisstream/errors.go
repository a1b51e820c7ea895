package redisstream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"leat/handlers/fault"
)

// hasCode reports whether err is an error reply of Redis that begins with one of the codes.
func hasCode(err error, codes ...string) bool {
	reply, ok := errors.AsType[redis.Error](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if strings.HasPrefix(reply.Error(), code) {
			return true
		}
	}
	return false
}

// noGroup reports whether the stream or the group has vanished.
func noGroup(err error) bool { return hasCode(err, "NOGROUP", "UNBLOCKED", "ERR no such key") }

// refused reports whether Redis refuses for a reason that only a person can remove, and names it.
func refused(err error) (code string, yes bool) {
	switch {
	case hasCode(err, "WRONGTYPE"):
		return "wrong_type", true
	case hasCode(err, "NOAUTH", "WRONGPASS", "ERR invalid password", "ERR Client sent AUTH", "ERR AUTH"):
		return "credentials", true
	case hasCode(err, "ERR DB index", "ERR invalid DB index"):
		return "database", true
	case hasCode(err, "NOPERM"):
		return "permission", true
	case hasCode(err, "ERR unknown command"):
		return "unsupported", true
	}
	return "", false
}

// failure gives an error of Redis its kind. A message must not end in the DLQ because of a password or a
// switch-over, so all are Unavailable but the end of a context, and a key of the wrong type, which is Internal.
func failure(err error, format string, args ...any) error {
	kind, code := fault.Unavailable, ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		kind = fault.Canceled
	case hasCode(err, "WRONGTYPE"):
		kind, code = fault.Internal, "wrong_type"
	}
	return &fault.Error{Kind: kind, Code: code, Err: fmt.Errorf("redisstream: "+format+": %w", append(args, err)...)}
}
