package config

import (
	"net"
	"net/url"
	"strings"
	"time"

	"leat/adapters/mongo"
	"leat/adapters/pubsub/amqp"
	"leat/adapters/pubsub/gochannel"
	"leat/adapters/pubsub/kafka"
	"leat/adapters/pubsub/nats"
	"leat/adapters/pubsub/redisstream"
	"leat/adapters/pubsub/sql"
	"leat/adapters/sqldb"
)

// The kinds of broker.
const (
	RedisStream = "redisstream"
	GoChannel   = "gochannel"
	NATS        = "nats"
	Kafka       = "kafka"
	AMQP        = "amqp"
	SQL         = "sql"
)

// Broker chooses and tunes the pub/sub backend.
type Broker struct {
	Kind           string             `config:"kind" default:"redisstream" oneof:"redisstream|gochannel|nats|kafka|amqp|sql" doc:"pub/sub backend of all pipelines that do not name their own"`
	Namespace      string             `config:"namespace" max:"100" doc:"tells apart brokers whose topics have the same name; part of the identity of events that bring none, so choose it once"`
	ConnectTimeout time.Duration      `config:"connect_timeout" default:"30s" max:"1h" doc:"how long leat run waits for the broker to answer at start"`
	DedupWindow    time.Duration      `config:"dedup_window" default:"24h" min:"1m" max:"90d" doc:"on brokers without positions (amqp, gochannel): how long after its record an event is still counted if it was not; Redis keeps about 100 bytes for each event of this time"`
	RedisStream    redisstream.Config `config:"redisstream" doc:"Redis Streams, on the server of redis.addr"`
	GoChannel      gochannel.Config   `config:"gochannel" doc:"the broker inside the process, for one process"`
	NATS           nats.Config        `config:"nats" doc:"NATS JetStream"`
	Kafka          kafka.Config       `config:"kafka" doc:"Apache Kafka and what speaks its protocol"`
	AMQP           amqp.Config        `config:"amqp" doc:"RabbitMQ"`
	SQL            sql.Config         `config:"sql" doc:"PostgreSQL"`
}

// Store is the connection to the database of the records.
type Store struct {
	URI            string        `config:"uri" env:"MONGO_URI" secret:"uri" doc:"mongodb://…, mongodb+srv://…, postgres://… or sqlite:FILE; empty only with --embedded"`
	Database       string        `config:"database" env:"MONGO_DATABASE" default:"leat" min:"1" max:"63" doc:"name of the MongoDB database; PostgreSQL and SQLite take it from the URI"`
	ConnectTimeout time.Duration `config:"connect_timeout" default:"30s" max:"1h" doc:"how long leat run waits for the store to answer at start"`
	Mongo          mongo.Config  `config:"mongo" doc:"if the store is MongoDB"`
	SQL            sqldb.Config  `config:"sql" doc:"if the store is PostgreSQL or SQLite"`
}

// Validate implements Validator.
func (s Store) Validate(report func(key, problem string)) {
	if s.URI == "" {
		return
	}
	for _, scheme := range []string{"mongodb://", "mongodb+srv://", "postgres://", "postgresql://", "sqlite:"} {
		if rest, ok := strings.CutPrefix(s.URI, scheme); ok && rest != "" {
			if _, err := url.Parse(s.URI); err != nil && strings.HasPrefix(scheme, "postgres") {
				report("uri", "cannot be parsed; characters such as @ / : % in a password must be percent-encoded")
			}
			return
		}
	}
	report("uri", "must be mongodb://…, mongodb+srv://…, postgres://… or sqlite:FILE")
}

// DLQ is what holds for the dead letters of all pipelines.
type DLQ struct {
	MaxPayload int64 `config:"max_payload" unit:"bytes" default:"1MiB" doc:"size at which the copy of a payload is cut; 0 means never"`
}

// Log is how the program logs.
type Log struct {
	Level  string `config:"level" default:"info" oneof:"debug|info|warn|error" doc:"least important lines that are logged"`
	Format string `config:"format" default:"text" oneof:"text|json" doc:"form of a line"`
}

// Shutdown is the budget for stopping.
type Shutdown struct {
	Timeout time.Duration `config:"timeout" default:"25s" min:"1s" max:"1h" doc:"longest time from the first signal to the end; what is in flight is finished within it"`
}

// Embedded is where leat run --embedded keeps its servers.
type Embedded struct {
	RedisAddr string `config:"redis_addr" default:"127.0.0.1:6390" min:"1" doc:"host:port at which redis-cli reaches the Redis within"`
	DataDir   string `config:"data_dir" flag:"data-dir" default:"./leat-data" min:"1" doc:"folder of the SQLite file"`
}

func checkAddr(key, addr string, report func(key, problem string)) {
	if addr == "" {
		return
	}
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		report(key, "must be host:port, such as 127.0.0.1:8080 or [::1]:8080")
	}
}
