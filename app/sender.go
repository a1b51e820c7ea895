package app

import (
	"context"
	"errors"
	"log/slog"

	goredis "github.com/redis/go-redis/v9"

	"leat/adapters/redis"
	"leat/config"
)

// sender publishes the lines of leat publish.
type sender struct {
	send    func([]outgoing) error
	setting string // names what the lines are sent to, for advice when it is away; empty where errors give their own
	close   func() error
}

// newSender connects to the pipeline's broker, or to a running leat where the broker is inside of one.
func newSender(ctx context.Context, cfg *config.Config, how publishing, logger *slog.Logger) (sender, error) {
	pipeline := cfg.Pipelines.Activity
	kind := pipeline.BrokerKind(cfg.Broker)
	if how.url != "" || kind == config.GoChannel {
		return remoteSender(ctx, cfg, how)
	}
	var client goredis.UniversalClient
	if kind == config.RedisStream {
		if cfg.Redis.Addr == "" {
			return sender{}, redisMissing()
		}
		var err error
		if client, err = redis.NewClient(cfg.Redis); err != nil {
			return sender{}, err
		}
	}
	closeClient := func() error {
		if client == nil {
			return nil
		}
		return client.Close()
	}
	setting := settingOf(kind)
	backend, err := connect(ctx, kind, cfg, client, logger)
	if err != nil {
		return sender{}, errors.Join(unavailableHint(err, setting), closeClient())
	}
	topic := how.topic
	if topic == "" {
		topic = pipeline.Topic
	}
	s := sender{
		send: sendEnvelopes(backend.Publisher(), topic), setting: setting,
		close: func() error { return errors.Join(backend.Close(), closeClient()) },
	}
	if how.format == "fields" {
		s.send = sendFields(backend.Publisher(), topic, pipeline.MaxPayload)
	}
	return s, nil
}

func remoteSender(ctx context.Context, cfg *config.Config, how publishing) (sender, error) {
	if how.topic != "" || how.format != "watermill" {
		return sender{}, usagef("--topic and --format cannot be chosen where lines go to a running leat over HTTP (--url, or broker.kind gochannel)")
	}
	base := how.url
	if base == "" {
		var err error
		if base, err = localURL(cfg.HTTP.Addr); err != nil {
			return sender{}, err
		}
	}
	running, err := newRemote(base, cfg.HTTP.Token)
	if err != nil {
		return sender{}, err
	}
	return sender{send: running.send(ctx, "activity"), close: running.Close}, nil
}

// settingOf is the key that says where a broker is.
func settingOf(kind string) string {
	switch kind {
	case config.NATS:
		return "broker.nats.urls"
	case config.Kafka:
		return "broker.kafka.brokers"
	case config.AMQP:
		return "broker.amqp.uri"
	case config.SQL:
		return "broker.sql.uri"
	default:
		return "redis.addr"
	}
}
