package httpapi

import "strconv"

// Config says where the server listens, and who may send events to it.
type Config struct {
	Addr      string `config:"addr" default:"127.0.0.1:8080" min:"1" doc:"host:port of health, metrics and ingest; :8080 listens on all interfaces"`
	Token     string `config:"token" secret:"true" doc:"what clients that send events must present as Authorization: Bearer TOKEN, at least 16 characters; empty closes the endpoint"`
	MaxBody   int64  `config:"max_body" unit:"bytes" default:"16MiB" min:"1KiB" max:"256MiB" doc:"largest body of a request that sends events"`
	MaxEvents int    `config:"max_events" default:"10000" min:"1" max:"1000000" doc:"most events of one request"`
	MaxIngest int    `config:"max_ingest" default:"4" min:"1" max:"1000" doc:"requests that send events and are worked on at a time; others are told to come back"`
}

const leastToken = 16

// Validate reports what no single field shows.
func (c Config) Validate(report func(key, problem string)) {
	if c.Token == "" {
		return
	}
	if len(c.Token) < leastToken {
		report("token", "must have at least "+strconv.Itoa(leastToken)+" characters; make one with: openssl rand -hex 32")
	}
	for _, r := range c.Token {
		if r <= ' ' || r > '~' {
			report("token", "must consist of ASCII letters, digits and punctuation, since it travels in an HTTP header")
			return
		}
	}
}
