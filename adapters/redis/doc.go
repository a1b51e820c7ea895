// Package redis keeps the leaderboards of the activity pipeline in Redis, beside the markers of what is counted in
// them and the ack floors. Boards and markers change in one script, so that they can never disagree.
//
//	leaderboard:<board>:<period>   ZSET  member user, score seconds
//	leat:activity:counted:<source> ZSET  member identity (12 bytes), score the major part of its position
//	leat:activity:floor            HASH  field source, value Position.Key
//	leat:activity:reports:<source> HASH  field worker, value Position.Key and when the report ends
package redis
