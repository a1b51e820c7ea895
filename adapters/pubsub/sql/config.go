package sql

import (
	"os"
	"time"

	"leat/adapters/pubsub/inflight"
	"leat/handlers/fault"
)

// Config is what an operator may set, under broker.sql.
type Config struct {
	URI           string        `config:"uri" default:"" secret:"uri" doc:"connection string of PostgreSQL 13 or later, postgres://user:password@host:port/database?sslmode=verify-full&sslrootcert=/ca.pem; empty means store.uri, where that is PostgreSQL"`
	Consumer      string        `config:"consumer" default:"" doc:"begin of the consumer name, which ends in a number; empty means the host name"`
	InFlight      int           `config:"in_flight" default:"2000" min:"1" max:"100000" doc:"messages of one subscription that may be without a confirmed outcome at a time; fewer if their payloads exceed 64 MiB"`
	Count         int           `config:"count" default:"500" min:"1" max:"10000" doc:"most messages that one read asks for"`
	Poll          time.Duration `config:"poll" default:"100ms" min:"1ms" max:"1s" doc:"how often an idle subscription looks for messages of publishers that do not notify; leat's own publisher does"`
	Lease         time.Duration `config:"lease" default:"30s" min:"300ms" max:"24h" doc:"messages of a process that has not been heard of for this long go to others; live ones are heard of every third of it"`
	Nack          inflight.Nack `config:"nack" doc:"delivering again what a handler refused"`
	MaxDeliveries int           `config:"max_deliveries" default:"10" min:"1" max:"1000000" doc:"a message delivered more often without an outcome runs alone, and goes to the DLQ if that fails too"`
	Retain        time.Duration `config:"retain" default:"0s" min:"0s" doc:"age from which messages that every group has finished are deleted; 0 never deletes"`
	PoolSize      int           `config:"pool_size" default:"8" min:"2" max:"1000" doc:"most connections at the same time; one more waits for notifications"`
	Timeout       time.Duration `config:"timeout" default:"10s" min:"100ms" max:"5m" doc:"how long to connect and to wait for one statement"`
}

// prepare checks what the tags promise, since not every caller comes from a file, and fills in the consumer.
func (c *Config) prepare() error {
	switch {
	case c.URI == "":
		return fault.Invalidf("uri", "sql: no PostgreSQL is named: set broker.sql.uri")
	case c.InFlight < 1 || c.Count < 1 || c.MaxDeliveries < 1 || c.PoolSize < 2:
		return fault.Invalidf("options", "sql: in_flight, count and max_deliveries must be at least 1, pool_size at least 2")
	case c.Poll < time.Millisecond || c.Poll > time.Second:
		return fault.Invalidf("options", "sql: poll must be between 1ms and 1s")
	case c.Lease < 10*time.Millisecond || c.Timeout < time.Millisecond || c.Nack.Delay <= 0 || c.Retain < 0:
		return fault.Invalidf("options", "sql: lease, timeout and nack.delay must be above 0, retain not below")
	}
	if c.Consumer == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			return fault.Invalidf("options", "sql: the host has no name: set broker.sql.consumer")
		}
		c.Consumer = host
	}
	return nil
}
