package app

import "time"

// budget shares the time of a shutdown out, so that those who wait for others wait longer than they do.
type budget struct {
	drain  time.Duration // the subscriber waits for messages in flight; cancelling them and telling Redis may take as long again
	router time.Duration // the router waits for the subscriber and its handlers
	engine time.Duration // the engine waits for batches whose messages were canceled
	total  time.Duration // everything
}

func shareOut(total time.Duration) budget {
	return budget{drain: total * 4 / 10, router: total * 95 / 100, engine: total * 5 / 100, total: total}
}
