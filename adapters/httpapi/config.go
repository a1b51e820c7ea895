package httpapi

// Config says where the server listens.
type Config struct {
	Addr string `config:"addr" default:"127.0.0.1:8080" min:"1" doc:"host:port of health and metrics; :8080 listens on all interfaces"`
}
