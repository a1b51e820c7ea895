// Package handlers is what the router runs.
//
//	pipeline   topic                           stores                              outcomes
//	activity   pomodoro_pattern_match_stream   categorized_data,                   leaderboard:… in Redis,
//	                                           pomodoro_usage_log,                 session_score_stream,
//	                                           category_pattern                    <topic>.dlq
//
// Each pipeline is a folder. Beside them stand batch, the engine that all of them run on; fault, the kinds of error; and
// delivery, what a subscriber tells about a message.
package handlers
