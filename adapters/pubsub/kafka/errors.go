package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"leat/handlers/fault"
)

// errHungUp is what some brokers do instead of saying that the credentials are wrong.
var errHungUp = errors.New("the broker hung up on the credentials")

// refusals are the answers that only a person can mend, with what to do.
var refusals = []struct {
	err  error
	code string
	hint string
}{
	{kerr.SaslAuthenticationFailed, "credentials", "check broker.kafka.sasl.user and password"},
	{errHungUp, "credentials", "check broker.kafka.sasl.user and password"},
	{kerr.UnsupportedSaslMechanism, "credentials", "check broker.kafka.sasl.mechanism"},
	{kerr.IllegalSaslState, "credentials", "check broker.kafka.sasl: the listener may not use SASL"},
	{kerr.TopicAuthorizationFailed, "permission", "allow the user READ, WRITE and DESCRIBE of the topic, or CREATE if it does not exist"},
	{kerr.GroupAuthorizationFailed, "permission", "allow the user READ of the consumer group"},
	{kerr.ClusterAuthorizationFailed, "permission", "allow the user CREATE of the cluster or create the topic beforehand; brokers before 3.0 want IDEMPOTENT_WRITE too"},
	{kerr.InvalidTopicException, "topic", "choose another name"},
	{kerr.InvalidReplicationFactor, "topic", "check broker.kafka.topic.replication, or create the topic beforehand"},
	{kerr.InvalidPartitions, "topic", "check broker.kafka.topic.partitions, or create the topic beforehand"},
	{kerr.PolicyViolation, "topic", "create the topic beforehand, as the policy of the cluster wants it"},
	{kerr.InvalidConfig, "topic", "check broker.kafka.max_message_bytes, or create the topic beforehand"},
	{kerr.InvalidGroupID, "group", "choose another consumer group"},
	{kerr.InvalidSessionTimeout, "session", "set broker.kafka.session_timeout within the broker's group.min.session.timeout.ms and group.max.session.timeout.ms"},
	{kerr.InconsistentGroupProtocol, "group", "another kind of client uses the group: stop it, or choose another group"},
	{kerr.UnsupportedVersion, "version", "Kafka must be 1.0 or newer"},
}

// refused says why only a person can mend an error, and what to do.
func refused(err error) (code, hint string, yes bool) {
	for _, refusal := range refusals {
		if errors.Is(err, refusal.err) {
			return refusal.code, refusal.hint, true
		}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "certificate", "check broker.kafka.tls.ca_file", true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "tls", "the listener does not speak TLS: check broker.kafka.tls.enabled and the port", true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "certificate", "the broker refuses the handshake: check broker.kafka.tls.cert_file and key_file", true
	}
	return "", "", false
}

// verdict gives an error of starting up its kind: Invalid if only a person can mend it, else as failure does.
func verdict(err error, format string, args ...any) error {
	code, hint, yes := refused(err)
	if !yes {
		return failure(err, format, args...)
	}
	return fault.Invalidf(code, "kafka: "+format+": %w (%s)", append(args, err, hint)...)
}

// failure gives an error of running its kind. A message must not end in the DLQ because of a password or an
// election, so all are Unavailable but the end of a context or of the client.
func failure(err error, format string, args ...any) error {
	kind, hint := fault.Unavailable, ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
		kind = fault.Canceled
	}
	if _, ok := errors.AsType[*kgo.ErrFirstReadEOF](err); ok {
		hint = " (the broker hung up at once: the listener may want broker.kafka.tls or sasl)"
	}
	return &fault.Error{Kind: kind, Err: fmt.Errorf("kafka: "+format+": %w%s", append(args, err, hint)...)}
}
