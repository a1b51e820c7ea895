package config

import (
	"fmt"
	"log/slog"
	"strings"

	"leat/adapters/httpapi"
	"leat/adapters/redis"
	"leat/handlers/activity"
	"leat/handlers/batch"
	"leat/middleware"
)

// Config is the whole configuration of leat.
type Config struct {
	Broker    Broker         `config:"broker" doc:"where events come from"`
	Redis     redis.Config   `config:"redis" doc:"the Redis server of the streams and the leaderboards"`
	Store     Store          `config:"store" doc:"the database of the records"`
	Pipelines Pipelines      `config:"pipelines" doc:"what runs on the router"`
	DLQ       DLQ            `config:"dlq" doc:"dead letters: messages that cannot succeed"`
	HTTP      httpapi.Config `config:"http" doc:"the HTTP server"`
	Log       Log            `config:"log" doc:"logging, to standard error"`
	Shutdown  Shutdown       `config:"shutdown" doc:"stopping"`
	Embedded  Embedded       `config:"embedded" doc:"leat run --embedded: Redis and the store inside the process"`
}

// Pipelines has one field for each pipeline.
type Pipelines struct {
	Activity Activity `config:"activity" doc:"who used which app, title or URL, and for how long" defaults:"topic=pomodoro_pattern_match_stream, group=pomodoro_pattern_match_group"`
}

// Pipeline is what every pipeline has. Its defaults that differ stand at the field in Pipelines.
type Pipeline struct {
	Enabled  bool                      `config:"enabled" default:"true" doc:"whether leat run starts it"`
	Broker   string                    `config:"broker" oneof:"|redisstream|gochannel|nats|kafka|amqp|sql" doc:"pub/sub backend of this pipeline; empty means broker.kind"`
	Topic    string                    `config:"topic" min:"1" doc:"topic (stream, subject, exchange, table) that it reads"`
	Group    string                    `config:"group" min:"1" doc:"consumer group"`
	DLQ      string                    `config:"dlq" doc:"topic of its dead letters; empty means the topic with .dlq behind"`
	Batch    batch.Config              `config:"batch" doc:"how messages gather to batches"`
	Retry    middleware.RetryConfig    `config:"retry" doc:"trying a failed message again in place"`
	Breaker  middleware.BreakerConfig  `config:"breaker" doc:"pausing while a dependency is down"`
	Throttle middleware.ThrottleConfig `config:"throttle" doc:"limiting the rate"`
}

// Activity is the pipeline of that name.
type Activity struct {
	Pipeline        `config:",inline"`
	activity.Config `config:",inline"`
}

// Format keeps secrets out of whatever prints the struct. Report.Print is the way to show a configuration.
func (Config) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, notShown) }

// LogValue does for slog what Format does for fmt.
func (Config) LogValue() slog.Value { return slog.StringValue(notShown) }

const notShown = "(configuration, not shown)"

// Validate implements Validator.
func (p Pipelines) Validate(report func(key, problem string)) {
	if !p.Activity.Enabled {
		report("activity.enabled", "leaves no pipeline to run; enable at least one")
	}
}

// BrokerKind is the backend that the pipeline uses.
func (p Pipeline) BrokerKind(all Broker) string {
	if p.Broker != "" {
		return p.Broker
	}
	return all.Kind
}

// DLQTopic is where the pipeline's dead letters go.
func (p Pipeline) DLQTopic() string {
	if p.DLQ == "" {
		return p.Topic + ".dlq"
	}
	return p.DLQ
}

// Validate implements Validator.
func (c Config) Validate(report func(key, problem string)) {
	c.checkBrokers(report)
	checkAddr("http.addr", c.HTTP.Addr, report)
	checkAddr("embedded.redis_addr", c.Embedded.RedisAddr, report)
}

// checkBrokers reports what the brokers in use lack.
func (c Config) checkBrokers(report func(key, problem string)) {
	switch kind := c.Pipelines.Activity.BrokerKind(c.Broker); {
	case !c.Pipelines.Activity.Enabled:
	case kind == Kafka && len(c.Broker.Kafka.Brokers) == 0:
		report("broker.kafka.brokers", "must name at least one broker, host:port")
	case kind == SQL && c.Broker.SQL.URI == "" && c.Store.URI != "" && !strings.HasPrefix(c.Store.URI, "postgres"):
		report("broker.sql.uri", "must be set to postgres://…, as store.uri is not PostgreSQL")
	}
}

// Validate implements Validator.
func (p Pipeline) Validate(report func(key, problem string)) {
	if p.DLQ != "" && p.DLQ == p.Topic {
		report("dlq", "must not be the topic that the pipeline reads")
	}
}

// Validate implements Validator.
func (a Activity) Validate(report func(key, problem string)) {
	if a.ScoresTopic == a.Topic || a.ScoresTopic == a.DLQTopic() {
		report("scores_topic", "must be neither the topic that the pipeline reads nor that of its dead letters")
	}
}
