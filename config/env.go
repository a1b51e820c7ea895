package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	envPrefix  = "LEAT_"
	testPrefix = "LEAT_TEST_" // what the tests of this module read; not part of the configuration
)

// envName is the environment variable of a key: broker.kind is LEAT_BROKER_KIND.
func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// serviceLink matches the variables that Kubernetes adds to every pod for a service whose name begins with "leat". They
// are not meant for the program, so they are not mistakes either.
var serviceLink = regexp.MustCompile(`^LEAT_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT|SERVICE_PORT_[A-Z0-9_]+|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)=|^LEAT_([A-Z0-9_]+_)?PORT=(tcp|udp|sctp)://`)

// readEnv sets leaves from "NAME=value" pairs. A variable that is empty counts as not set. Where two
// variables name one key, the LEAT_… one wins.
func (t *tree) readEnv(environ []string, found *problems) {
	values := map[string]string{}
	for _, pair := range environ {
		if name, text, ok := strings.Cut(pair, "="); ok && text != "" {
			values[name] = text
		}
	}
	var known []string
	for _, l := range t.leaves {
		known = append(known, l.env...)
		for _, name := range slices.Backward(l.env) {
			if text, ok := values[name]; ok {
				found.set(l, text, "environment "+name)
			}
		}
	}
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, testPrefix) ||
			slices.Contains(known, name) || serviceLink.MatchString(pair) {
			continue
		}
		found.add(Problem{
			Origin:  "environment " + name,
			Message: fmt.Sprintf("is not a known variable; the nearest is %s", nearest(name, known, "_")),
		})
	}
}

// set gives the leaf a value from a source and collects the problem if there is one.
func (p *problems) set(l *leaf, text, origin string) {
	if problem := l.setText(text, origin); problem != "" {
		p.add(Problem{Key: l.key, Origin: origin, Value: l.shown(text), Message: problem})
	}
}
