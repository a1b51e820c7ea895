// Package e2e holds the tests of the built program: they run leat as a process on a redis-server and a store of their
// own, feed it what producers write, and compare the records, the boards and the dead letters with a truth that they
// work out by themselves.
package e2e
