package amqp

import (
	"net"
	"time"

	rabbit "github.com/rabbitmq/amqp091-go"
)

// socket does not wait for ever for a server that takes nothing.
type socket struct {
	net.Conn
	timeout time.Duration
}

func (s *socket) Write(p []byte) (int, error) {
	if err := s.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	return s.Conn.Write(p)
}

// outspokenLogin asks the server to say why it refuses a login. Without that it just ends the connection, after seconds,
// and wrong credentials look like an outage.
type outspokenLogin struct {
	rabbit.Authentication
	properties rabbit.Table
}

func outspoken(ways []rabbit.Authentication, properties rabbit.Table) []rabbit.Authentication {
	logins := make([]rabbit.Authentication, len(ways))
	for n, way := range ways {
		logins[n] = outspokenLogin{way, properties}
	}
	return logins
}

// Response is called when the client library has filled in the capabilities, and before it sends them.
func (l outspokenLogin) Response() string {
	if capabilities, ok := l.properties["capabilities"].(rabbit.Table); ok {
		capabilities["authentication_failure_close"] = true
	}
	return l.Authentication.Response()
}
