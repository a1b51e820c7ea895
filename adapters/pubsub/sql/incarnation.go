package sql

import (
	"strconv"
)

// incarnation tells a topic from those of the same name whose table was dropped before it, or that are in another cluster: positions are
// made of transaction ids, which each cluster counts for itself, and a database may be restored into another one.
type incarnation struct {
	cluster int64 // identifier of the cluster; 0 where it cannot be read
	table   int64 // oid of the table of messages
}

// incarnation is the two columns of it in a statement. They are of the very table that the statement reads.
func (b *Backend) incarnation(topic string) string {
	cluster := "0::bigint"
	if b.identifiable {
		cluster = "(SELECT system_identifier FROM pg_control_system())"
	}
	return cluster + ", '" + messagesTable(topic) + "'::regclass::oid::bigint"
}

// sourceOf is what positions of the topic count in.
func (i incarnation) sourceOf(namespace, topic string) string {
	name := topic + "#" + strconv.FormatUint(uint64(i.cluster), 36) + "." + strconv.FormatInt(i.table, 36)
	if namespace == "" {
		return name
	}
	return namespace + ":" + name
}

// sourceOf is what the positions of messages count in that were read of an incarnation.
func (s *source) sourceOf(life incarnation) string {
	if life != s.life {
		s.life = life
		s.in = append(s.in, life.sourceOf(s.options.Namespace, s.name))
	}
	return s.in[len(s.in)-1]
}

// held returns the positions of what is held here, of whatever incarnation: transactions of one cluster never have the same twice.
func (s *source) held() map[string]struct{} {
	held := make(map[string]struct{})
	for _, in := range s.in {
		for id := range s.sub.Held(in) {
			held[id] = struct{}{}
		}
	}
	return held
}
