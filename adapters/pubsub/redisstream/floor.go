package redisstream

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"

	"leat/handlers/delivery"
	"leat/handlers/fault"
)

// floorScript returns {oldest pending id or "", last delivered id}, or nothing if there is no such group.
// KEYS stream; ARGV group.
var floorScript = redis.NewScript(`
if redis.replicate_commands then redis.replicate_commands() end
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
  if group['name'] == ARGV[1] then
    return {redis.call('XPENDING', KEYS[1], ARGV[1])[2] or '', group['last-delivered-id']}
  end
end
return {}`)

// Floors returns the position below which nothing is left to do, as far as Redis and this subscriber know: the
// oldest pending entry of the group, else the one after the last that was delivered; or the oldest entry that this
// subscriber holds, if that is lower. It holds an entry from the reply that brought it until its XACK is confirmed,
// also when Redis has forgotten the entry meanwhile, because the stream was trimmed or deleted. What other processes
// hold of such entries is not known here: the true floor is the lowest of all processes' reports.
//
// The source is the topic, with the namespace before it if there is one. A stream or group that does not exist has
// the zero position. Entries that were trimmed or deleted unread count as acked.
func (s *subscriber) Floors(ctx context.Context, topic string) (map[string]delivery.Position, error) {
	from := s.options.origin(topic)
	reply, err := floorScript.Run(ctx, s.options.Client, []string{topic}, s.options.Group).StringSlice()
	if err != nil {
		return nil, failure(err, "read the ack floor of %q", topic)
	}
	if len(reply) != 2 {
		return map[string]delivery.Position{from: {}}, nil
	}
	oldest, last := reply[0], reply[1]
	position, err := delivery.ParsePosition(oldest)
	if oldest == "" {
		if position, err = delivery.ParsePosition(last); err == nil && position != (delivery.Position{}) {
			position = position.Next()
		}
	}
	if err != nil {
		return nil, fault.Internalf("reply", "redisstream: ack floor of %q: %w", topic, err)
	}
	// After Redis: what left the pending list with an ack has left the windows by now, and no other has. And the arrivals
	// before the windows: what has arrived meanwhile is in a window.
	for _, source := range s.of(topic) {
		if arriving, ok := source.arriving.position(); ok && arriving.Less(position) {
			position = arriving
		}
	}
	if held, ok := s.Lowest(topic)[from]; ok && held.Less(position) {
		position = held
	}
	return map[string]delivery.Position{from: position}, nil
}

// arriving is the lowest of the entries between the reply that brought them and the window.
type arriving struct {
	mu sync.Mutex
	id string // empty if there is none
}

// begin tells that entries from id on are on their way, until end.
func (a *arriving) begin(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.id = id
}

func (a *arriving) end() { a.begin("") }

// position returns the smallest position that is on its way; ok is false if nothing is.
func (a *arriving) position() (position delivery.Position, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.id == "" {
		return position, false
	}
	position, _ = delivery.ParsePosition(a.id)
	return position, true
}
