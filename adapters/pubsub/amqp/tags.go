package amqp

import "slices"

// tags knows which delivery tags of a channel are settled: acked or handed back. The server counts them from 1.
type tags struct {
	lowest uint64              // all below are settled
	above  map[uint64]struct{} // settled, above lowest
}

func newTags() tags { return tags{lowest: 1, above: make(map[uint64]struct{})} }

// settle notes that the tags are settled. One ack of upTo, with everything below it, is right for those up to it: whatever
// else is below is settled already. It is 0 if there are none. The others, in their order, need one ack each.
func (t *tags) settle(settled []uint64) (upTo uint64, single []uint64) {
	slices.Sort(settled)
	for _, tag := range settled {
		t.above[tag] = struct{}{}
	}
	for {
		if _, ok := t.above[t.lowest]; !ok {
			break
		}
		delete(t.above, t.lowest)
		t.lowest++
	}
	n, _ := slices.BinarySearch(settled, t.lowest)
	if n > 0 {
		upTo = settled[n-1]
	}
	return upTo, settled[n:]
}
