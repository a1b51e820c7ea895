// Package pubsubtest is what leat needs of every message broker, as tests: one conformance suite that each backend runs against
// a real server. Each subtest is a property with a plain name, a row of the table that `make conformance` prints.
//
// A property that cannot hold for a backend is skipped with "n/a: " and the reason, which comes from its capabilities or
// from what its harness says is not there. It is never passed over in silence, and never counted as passed.
package pubsubtest
