package nats

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leat/handlers/fault"
)

// refusal is a permission that the server denied. It tells so beside the connection: whoever asked sees only that no answer comes.
type refusal struct {
	err error
	at  time.Time
}

// noteError is the client's handler of what goes wrong in the background.
func (b *Backend) noteError(_ *natsgo.Conn, _ *natsgo.Subscription, err error) {
	if errors.Is(err, natsgo.ErrPermissionViolation) {
		b.refused.Store(&refusal{err, time.Now()})
	}
	b.log.Debug("NATS reports an error", "error", err)
}

type callStart struct{}

// begin notes when a call begins: what was refused before is not why it fails.
func begin(ctx context.Context) context.Context {
	return context.WithValue(ctx, callStart{}, time.Now())
}

// call bounds a call by the configured timeout.
func (b *Backend) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(begin(ctx), b.config.Timeout)
}

// failure gives the error of a call its kind. Where no answer came because a permission is missing, it says that instead.
func (b *Backend) failure(ctx context.Context, err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	begun, _ := ctx.Value(callStart{}).(time.Time)
	if refused := b.refused.Load(); refused != nil && !refused.at.Before(begun) && !errors.Is(err, context.Canceled) {
		return failure(refused.err, format, args...)
	}
	if last := b.conn.LastError(); !b.conn.IsConnected() && isRefused(last) != "" {
		return failure(last, format, args...)
	}
	return failure(err, format, args...)
}

// failure gives an error of NATS its kind: Invalid for what only a person can mend, Canceled for the end of a context, else
// Unavailable.
func failure(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	kind, code, advice := fault.Unavailable, isRefused(err), ""
	known, found := errors.AsType[*fault.Error](err)
	switch {
	case found:
		kind, code = known.Kind, known.Code
	case errors.Is(err, context.Canceled):
		kind, code = fault.Canceled, ""
	case errors.Is(err, natsgo.ErrReconnectBufExceeded): // the client's way to say so
		err = natsgo.ErrDisconnected
	case code != "":
		kind, advice = fault.Invalid, " ("+refusals[code]+")"
	}
	return &fault.Error{Kind: kind, Code: code, Err: fmt.Errorf("nats: "+format+": %w%s", append(args, err, advice)...)}
}

// refusals says what to do about each code.
var refusals = map[string]string{
	"credentials": "check broker.nats.user and password, token, creds_file or nkey_file",
	"permission":  "the user must be allowed to publish to $JS.API.> and $JS.ACK.> and to the topics, and to subscribe to _INBOX.>",
	"tls":         "check broker.nats.tls and the scheme of broker.nats.urls",
	"jetstream":   "start the server with JetStream, and enable it for the account",
	"too_large":   "the server's max_payload, or the stream's max_msg_size, is smaller",
	"resources":   "the server or the account has not the storage, streams, consumers or replicas that are asked for; check broker.nats.stream",
	"consumer":    "the stream's retention allows one consumer only; use a stream with retention limits or interest",
	"subject":     "another stream of the server has a subject that overlaps",
}

// refusedCodes are JetStream's own codes for what only a person can mend.
var refusedCodes = map[jetstream.ErrorCode]string{
	jetstream.JSErrCodeJetStreamNotEnabled:           "jetstream",
	jetstream.JSErrCodeJetStreamNotEnabledForAccount: "jetstream",
	jetstream.JSErrCodeStreamMessageExceedsMaximum:   "too_large",
	10097: "too_large", // header size exceeds maximum allowed of 64k
	10065: "subject",   // subjects overlap with an existing stream
	10074: "resources", // replicas > 1 not supported in non-clustered mode
	10052: "resources", // stream creation failed
	10023: "resources", // insufficient resources
	10027: "resources", // maximum number of streams reached
	10026: "resources", // maximum consumers limit reached
	10028: "resources", // memory limit exceeded for account
	10047: "resources", // insufficient storage resources available
	10099: "consumer",  // multiple non-filtered consumers not allowed on workqueue stream
	10100: "consumer",  // filtered consumer not unique on workqueue stream
}

// isRefused names the reason if only a person can remove it.
func isRefused(err error) string {
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var api jetstream.JetStreamError
	switch {
	case err == nil:
	case errors.Is(err, natsgo.ErrAuthorization), errors.Is(err, natsgo.ErrAuthExpired), errors.Is(err, natsgo.ErrAuthRevoked),
		errors.Is(err, natsgo.ErrAccountAuthExpired):
		return "credentials"
	case errors.Is(err, natsgo.ErrPermissionViolation):
		return "permission"
	case errors.Is(err, natsgo.ErrSecureConnRequired), errors.Is(err, natsgo.ErrSecureConnWanted), errors.As(err, &certificate), errors.As(err, &alert):
		return "tls"
	case errors.Is(err, natsgo.ErrMaxPayload):
		return "too_large"
	case errors.As(err, &api) && api.APIError() != nil:
		return refusedCodes[api.APIError().ErrorCode]
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return "jetstream"
	}
	return ""
}
