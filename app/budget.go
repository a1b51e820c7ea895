package app

import "time"

// budget shares the time of a shutdown out, so that those who wait for others wait longer than they do.
type budget struct {
	drain  time.Duration // the subscriber waits for messages in flight, then cancels them; telling Redis may take 7 s more
	router time.Duration // the router waits for the subscriber and its handlers
	engine time.Duration // the engine waits for batches whose messages were canceled
	total  time.Duration // everything
}

func shareOut(total time.Duration) budget {
	return budget{drain: total / 2, router: total * 85 / 100, engine: total * 5 / 100, total: total}
}
