// Package activity is the pipeline of app, title and URL usage.
//
//	decode     message → Event; what is missing or absurd is invalid
//	dedup      repeats within the batch follow the first; what was delivered before continues with its record
//	classify   content → category: cache, patterns, categorized_data
//	persist    categorized_data and pomodoro_usage_log; from here on the record counts, not the event
//	session    sessions that ended are announced
//	aggregate  leaderboards, each record exactly once
//
// The ports are in ports.go; the chain is put together in pipeline.go.
package activity
