package amqp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	rabbit "github.com/rabbitmq/amqp091-go"

	"leat/handlers/fault"
)

// replied reports whether err is the server's own reply with the code.
func replied(err error, code int) bool {
	reply, ok := errors.AsType[*rabbit.Error](err)
	return ok && reply.Server && reply.Code == code
}

// refused reports whether the server refuses for a reason that only a person can remove: code names it, and advice says what to do.
func refused(err error) (code, advice string, yes bool) {
	reply, ok := errors.AsType[*rabbit.Error](err)
	text := ""
	if ok && reply.Server {
		text = reply.Reason
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case replied(err, rabbit.AccessRefused) && strings.Contains(strings.ToLower(text), "login"):
		return "credentials", "check user and password in broker.amqp.uri", true
	case replied(err, rabbit.AccessRefused):
		return "permission", "the user needs configure, write and read permission on the exchanges and queues of leat in its vhost", true
	case replied(err, rabbit.NotAllowed) && strings.Contains(text, "limit"):
		return "", "", false
	case replied(err, rabbit.NotAllowed) && (strings.Contains(text, "not found") || strings.Contains(text, "refused for user")):
		return "vhost", "create the vhost or let the user in, or check the path of broker.amqp.uri", true
	case errors.Is(err, rabbit.ErrSASL):
		return "credentials", "the server offers none of the ways to log in: check auth_mechanism in broker.amqp.uri", true
	case untrusted:
		return "tls", "check broker.amqp.tls.ca_file and server_name, and the host in broker.amqp.uri", true
	case noTLS:
		return "tls", "the port does not speak TLS: check scheme and port of broker.amqp.uri", true
	}
	return "", "", false
}

// failure gives an error of reading or asking its kind: Invalid where only a person can mend it, else Unavailable.
func failure(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	doing := fmt.Sprintf(format, args...)
	if code, advice, yes := refused(err); yes {
		return fault.Invalidf(code, "amqp: %s: %w (%s)", doing, err, advice)
	}
	return unavailable(err, "%s", doing)
}

// unavailable gives an error of publishing its kind. A message must not end in the DLQ because of a password or a permission, so
// only the end of a context is anything but Unavailable.
func unavailable(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	kind := fault.Unavailable
	if errors.Is(err, context.Canceled) {
		kind = fault.Canceled
	}
	return &fault.Error{Kind: kind, Err: fmt.Errorf("amqp: "+format+": %w", append(args, err)...)}
}
