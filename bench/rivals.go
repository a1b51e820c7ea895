package main

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	stockamqp "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	stockkafka "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	stocknats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	stocksql "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	stockchannel "github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/jackc/pgx/v5/pgxpool"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	rabbit "github.com/rabbitmq/amqp091-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"leat/adapters/pubsub/amqp"
	"leat/adapters/pubsub/gochannel"
	"leat/adapters/pubsub/kafka"
	"leat/adapters/pubsub/nats"
	"leat/adapters/pubsub/sql"
	"leat/config"
)

var dialer = net.Dialer{Timeout: 2 * time.Second}

func openGoChannel(context.Context, string, string) (match, error) {
	backend := gochannel.New(config.Default().Broker.GoChannel, quiet)
	stock := stockchannel.NewGoChannel(stockchannel.Config{Persistent: true, OutputChannelBuffer: 1000}, watermill.NopLogger{})
	return match{
		backend: backend, fill: stock.Publish,
		stock: func() (message.Subscriber, error) { return stock, nil },
		drop:  func() { _ = stock.Close(); _ = backend.Close() },
	}, nil
}

func openNATS(ctx context.Context, topic, group string) (match, error) {
	cfg := config.Default().Broker.NATS
	cfg.URLs = []string{natsURL()}
	backend, err := nats.Connect(ctx, cfg, quiet)
	if err != nil {
		return match{}, err
	}
	return match{
		backend: backend, fill: backend.Publisher().Publish,
		stock: func() (message.Subscriber, error) {
			return stocknats.NewSubscriber(stocknats.SubscriberConfig{
				URL: natsURL(), QueueGroupPrefix: group, CloseTimeout: 5 * time.Second, AckWaitTimeout: 30 * time.Second,
				JetStream: stocknats.JetStreamConfig{AutoProvision: true, DurablePrefix: group, SubscribeOptions: []natsgo.SubOpt{natsgo.DeliverAll(), natsgo.AckExplicit()}},
			}, watermill.NopLogger{})
		},
		drop: func() { _ = backend.Close(); dropStream(topic) },
	}, nil
}

func dropStream(topic string) {
	conn, err := natsgo.Connect(natsURL())
	if err != nil {
		return
	}
	defer conn.Close()
	if js, err := jetstream.New(conn); err == nil {
		if name, err := js.StreamNameBySubject(context.Background(), topic); err == nil {
			_ = js.DeleteStream(context.Background(), name)
		}
	}
}

func openAMQP(ctx context.Context, topic, group string) (match, error) {
	cfg := config.Default().Broker.AMQP
	cfg.URI = rabbitURI()
	backend, err := amqp.Connect(ctx, cfg, quiet)
	if err != nil {
		return match{}, err
	}
	return match{
		backend: backend, fill: backend.Publisher().Publish,
		stock: func() (message.Subscriber, error) {
			settings := stockamqp.NewDurablePubSubConfig(rabbitURI(), stockamqp.GenerateQueueNameTopicNameWithSuffix(group))
			settings.Queue.Arguments = rabbit.Table{rabbit.QueueTypeArg: cfg.Queue.Type}
			return stockamqp.NewSubscriber(settings, watermill.NopLogger{})
		},
		drop: func() { _ = backend.Close(); dropQueues(topic, topic+"_"+group) },
	}, nil
}

func dropQueues(exchange string, queues ...string) {
	conn, err := rabbit.Dial(rabbitURI())
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	if channel, err := conn.Channel(); err == nil {
		for _, queue := range append(queues, exchange) {
			_, _ = channel.QueueDelete(queue, false, false, false)
		}
		_ = channel.ExchangeDelete(exchange, false, false)
	}
}

func openSQL(ctx context.Context, _, group string) (match, error) {
	uri, drop, err := freshSchema(ctx, postgresURI())
	if err != nil {
		return match{}, err
	}
	cfg := config.Default().Broker.SQL
	cfg.URI = uri
	backend, err := sql.Connect(ctx, cfg, quiet)
	if err != nil {
		drop()
		return match{}, err
	}
	pool, err := pgxpool.New(ctx, uri)
	if err != nil {
		return match{}, errors.Join(err, backend.Close())
	}
	return match{
		backend: backend, fill: backend.Publisher().Publish,
		stock: func() (message.Subscriber, error) {
			return stocksql.NewSubscriber(stocksql.BeginnerFromPgx(pool), stocksql.SubscriberConfig{
				ConsumerGroup: group, InitializeSchema: true, OffsetsAdapter: stocksql.DefaultPostgreSQLOffsetsAdapter{},
				SchemaAdapter: stocksql.DefaultPostgreSQLSchema{GeneratePayloadType: func(string) string { return "BYTEA" }},
			}, watermill.NopLogger{})
		},
		drop: func() { pool.Close(); _ = backend.Close(); drop() },
	}, nil
}

func openKafka(ctx context.Context, _, group string) (match, error) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(12))
	if err != nil {
		return match{}, err
	}
	cfg := config.Default().Broker.Kafka
	cfg.Brokers = cluster.ListenAddrs()
	backend, err := kafka.Connect(ctx, cfg, quiet)
	if err != nil {
		cluster.Close()
		return match{}, err
	}
	return match{
		backend: backend, fill: backend.Publisher().Publish,
		stock: func() (message.Subscriber, error) {
			reading := stockkafka.DefaultSaramaSubscriberConfig()
			reading.Consumer.Offsets.Initial = sarama.OffsetOldest
			return stockkafka.NewSubscriber(stockkafka.SubscriberConfig{
				Brokers: cluster.ListenAddrs(), Unmarshaler: stockkafka.DefaultMarshaler{}, OverwriteSaramaConfig: reading, ConsumerGroup: group,
				InitializeTopicDetails: &sarama.TopicDetail{NumPartitions: 12, ReplicationFactor: 1},
			}, watermill.NopLogger{})
		},
		drop: func() { _ = backend.Close(); cluster.Close() },
	}, nil
}
