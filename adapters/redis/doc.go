// Package redis connects to Redis, and keeps there the leaderboards of the activity pipeline, beside the markers of what is
// counted in them and the ack floors. Boards and markers change in one script, so that they can never disagree.
//
//	leaderboard:<board>:<period>   ZSET  member user, score seconds
//	leat:activity:counted:<source> ZSET  member identity (12 bytes), score the major part of its position
//	leat:activity:floor            HASH  field source, value Position.Key
//	leat:activity:reports:<source> HASH  field worker, value Position.Key and when the report ends
//	leat:suspects:<topic>:<group>  HASH  field message id, value how often it has run alone
//
// In a cluster, the first four begin with leaderboard:{leat}: and leat:{leat}: instead, and so lie on one slot: a script may
// use several keys only if they do. While that slot moves to another node, Redis refuses the script, and nothing is counted until
// the move is done.
package redis
