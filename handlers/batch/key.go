package batch

import "sync"

// keyring holds items back whose key runs in another batch. It is bounded by the messages in flight.
type keyring[T any] struct {
	mu      sync.Mutex
	waiting map[string][]*Item[T] // by key that runs now
}

// acquire returns the items whose keys were free, in order, and makes these keys busy. The others wait for whoever
// has their key.
func (e *Engine[T]) acquire(items []*Item[T]) []*Item[T] {
	e.keys.mu.Lock()
	defer e.keys.mu.Unlock()
	mine := make(map[string]bool, len(items))
	free := items[:0]
	for _, item := range items {
		key := item.key
		if queue, busy := e.keys.waiting[key]; busy && !mine[key] {
			e.keys.waiting[key] = append(queue, item)
			continue
		}
		mine[key] = true
		e.keys.waiting[key] = nil
		free = append(free, item)
	}
	return free
}

// release frees the keys of a batch that ended and returns what waited for them: the same worker runs that next,
// its keys still busy.
func (e *Engine[T]) release(items []*Item[T]) []*Item[T] {
	e.keys.mu.Lock()
	defer e.keys.mu.Unlock()
	var next []*Item[T]
	seen := make(map[string]bool, len(items))
	for _, item := range items {
		key := item.key
		if seen[key] {
			continue
		}
		seen[key] = true
		if queue := e.keys.waiting[key]; len(queue) > 0 {
			next = append(next, queue...)
			e.keys.waiting[key] = nil
			continue
		}
		delete(e.keys.waiting, key)
	}
	return next
}
