// Package encryption is how an operator says that connections to a server are encrypted: the same keys for every server.
package encryption

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"

	"leat/handlers/fault"
)

// Config is a section of the configuration. The server's certificate is always verified.
type Config struct {
	Enabled    bool   `config:"enabled" default:"false" doc:"connect with TLS 1.2 or newer"`
	CAFile     string `config:"ca_file" doc:"PEM file of the authorities that servers are verified against; empty means those of the system"`
	CertFile   string `config:"cert_file" doc:"PEM file of the client's certificate, if the server asks for one"`
	KeyFile    string `config:"key_file" doc:"PEM file of the key of cert_file"`
	ServerName string `config:"server_name" doc:"name that the servers' certificates must bear; empty means the host that is connected to"`
}

// Validate reports what contradicts itself, under keys relative to the section.
func (c Config) Validate(report func(key, problem string)) {
	if !c.Enabled && c != (Config{}) {
		report("enabled", "is false, but other keys of this section are set: set it to true, or remove them")
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		report("cert_file", "and key_file are set together or not at all")
	}
}

// Client reads the files. It returns nil if connections are not encrypted. Errors are of kind Invalid and name the key, with the
// section, such as "redis.tls", before it: what contradicts itself, and files that cannot be used.
func (c Config) Client(section string) (*tls.Config, error) {
	var problems []string
	c.Validate(func(key, problem string) { problems = append(problems, section+"."+key+" "+problem) })
	if len(problems) > 0 {
		return nil, fault.Invalidf("tls", "%s", strings.Join(problems, "; "))
	}
	if !c.Enabled {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fault.Invalidf("tls", "%s.ca_file cannot be read: %w", section, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.Invalidf("tls", "%s.ca_file: %s holds no certificate in PEM form", section, c.CAFile)
		}
	}
	if c.CertFile != "" {
		certificate, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fault.Invalidf("tls", "%s.cert_file %s and key_file %s cannot be used: %w", section, c.CertFile, c.KeyFile, err)
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return config, nil
}
