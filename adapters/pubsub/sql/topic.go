package sql

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"leat/handlers/fault"
)

// The tables of the stock adapter's default schema. PostgreSQL cuts names at 63 bytes, which would make one table of two topics.
const (
	messagesPrefix = "watermill_"
	offsetsPrefix  = "watermill_offsets_"
	longestName    = 63
	longestTopic   = longestName - len(offsetsPrefix)
	longestGroup   = 255
)

// notInTopics is what the stock adapter does not take either.
var notInTopics = regexp.MustCompile(`[^A-Za-z0-9\-$:._]`)

// topic is what is known of the tables of a topic. It does not change.
type topic struct {
	name     string
	messages string // table, quoted
	offsets  string // table, quoted
	payload  string // type of the payload column: bytea, json, jsonb, text or character varying
	metadata string // type of the metadata column: json, jsonb or text
	// incarnation is what makes an incarnation in a statement: two columns.
	incarnation string
}

// checkTopic refuses what cannot be a topic here, as Invalid.
func checkTopic(name string) error {
	switch {
	case name == "":
		return fault.Invalidf("topic", "sql: the topic is empty")
	case notInTopics.MatchString(name):
		return fault.Invalidf("topic", "sql: topic %q has characters other than letters, digits and -$:._, which names of tables are made of", name)
	case len(name) > longestTopic:
		return fault.Invalidf("topic", "sql: topic %q has %d characters; more than %d do not fit into the name of a table of PostgreSQL, which ends after %d",
			name, len(name), longestTopic, longestName)
	case strings.HasPrefix(name, offsetsPrefix[len(messagesPrefix):]):
		return fault.Invalidf("topic", "sql: topic %q begins with offsets_, so that its table would be the one of the offsets of another topic", name)
	}
	return nil
}

func checkGroup(name string) error {
	switch {
	case name == "":
		return fault.Invalidf("options", "sql: no consumer group")
	case utf8.RuneCountInString(name) > longestGroup:
		return fault.Invalidf("options", "sql: consumer group %q is longer than %d characters", name, longestGroup)
	case !isText(name):
		return fault.Invalidf("options", "sql: consumer group %q is not text that PostgreSQL can hold", name)
	}
	return nil
}

// isText reports whether PostgreSQL can hold s in a column of text.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

func messagesTable(topic string) string { return quoted(messagesPrefix + topic) }

func offsetsTable(topic string) string { return quoted(offsetsPrefix + topic) }

// quoted makes an identifier of a name that checkTopic has passed.
func quoted(name string) string { return fmt.Sprintf(`"%s"`, name) }
