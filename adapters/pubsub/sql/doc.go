// Package sql makes a message broker of PostgreSQL, 13 or later, on the tables of the default schema of watermill-sql.
//
// # What a message is
//
// A row of the table "watermill_TOPIC": uuid, payload, metadata, created_at. Its position is (transaction_id, "offset"). The
// source is namespace:topic#CLUSTER.TABLE: the identifier of the cluster (0 where pg_control_system() may not be read) and the oid of the table, both to base 36, because
// positions begin anew in another cluster and in a table that was dropped and made again.
// The payload is taken as it is. Tables made here keep it as BYTEA, since a payload need not be JSON; tables that are there
// already may keep it as JSON, JSONB or text, and then refuse what is none. Metadata is a JSON object of strings; a row whose metadata is
// something else is delivered with delivery.KeyMalformed, and with what stands there under "metadata".
//
// A topic is made of letters, digits and -$:._ and has at most 45 characters, because PostgreSQL cuts the names of tables at 63. Other programs
// publish by
//
//	INSERT INTO "watermill_TOPIC" (uuid, payload, metadata, transaction_id) VALUES ('…', '{…}', '{}', pg_current_xact_id());
//	SELECT pg_notify('leat_messages', 'TOPIC'); -- optional: it is then read at once, and not with the next poll
//
// # What is guaranteed
//
// Each message is delivered at least once, and acked in the database after its message was acked. First deliveries come in the
// order of positions. Only messages are read that lie below every transaction under way, so that none is skipped when it is committed late.
// What that costs: a transaction that writes and stays open, in any database of the server, holds back all messages published after it
// began. The stock subscriber is such a transaction while its handler works.
//
// The processes of a group share its messages: each claims the next ones, in a short transaction of its own. Claims of a process that is
// not heard of for Config.Lease go to others, and the delivery is counted. A live process keeps its own, however slow its handlers are. If
// it loses some all the same, because it was stopped or cut off for longer than that, they are handled twice; both acks count. After an outage of the
// server nobody is judged before all had the time to be heard of again.
//
// A claim is not waited for until it is on disk: if the server crashes then, the message is delivered again, and that delivery was not counted.
// Messages and acks are.
//
// Connections must be direct, or by way of a pooler that pools sessions: sessions have settings of their own, and one of them listens.
//
// Positions grow with the transactions of the server. Tables that are moved to another one by dump and restore come with transaction
// ids that may lie ahead of it: such messages are not read until it gets there. Finish topics before such a move; pg_upgrade keeps the ids.
// A standby that is promoted without the last transactions gives their ids out again, and what is new there lies below the ack floor, and
// counts as done: failover needs a synchronous standby.
//
// # Tables
//
//	watermill_TOPIC           the messages, as of DefaultPostgreSQLSchema
//	watermill_offsets_TOPIC   how far each group is, as of DefaultPostgreSQLOffsetsAdapter
//	leat_groups               for each topic and group, up to where messages were handed out
//	leat_claims               what of those is not acked: by which consumer, how often delivered; consumer 0 is nobody
//	leat_consumers            who reads, and until when its lease is
//
// The stock offset of a group is raised to its ack floor, every third of the lease and at the end. A stock subscriber goes on from there, and
// what it has done is taken over when the group is read here again. The two must not read a group at the same time.
package sql
