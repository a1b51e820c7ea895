package kafka

import "sort"

// progress is how far a partition is done: what was handed out of it and is not below the commit, in the order of offsets. Offsets may
// have gaps, which compaction and transactions leave.
type progress struct {
	steps []step
	head  int // steps before it are below next
	next  int64
	epoch int32  // of the leader, at the last offset below next
	read  int64  // the offset after the last that was handed out
	done  []span // what an earlier owner did beyond the commit, and was not read again
}

type step struct {
	offset int64
	epoch  int32
	done   bool
}

// unknown is the offset of a partition of which nothing is known yet.
const unknown = -1

func newProgress() progress { return progress{next: unknown, epoch: -1, read: unknown} }

// deliver adds an offset that is handed out. It reports false if that is not above all before, as after a reset of the log: then nothing
// is known about the others any more, and it is the first.
func (p *progress) deliver(offset int64, epoch int32) bool {
	grows := offset >= p.read
	if !grows {
		*p = newProgress()
	}
	p.steps = append(p.steps, step{offset: offset, epoch: epoch})
	p.read = offset + 1
	return grows
}

// did reports whether an earlier owner did an offset that is read now. Offsets are asked in their order.
func (p *progress) did(offset int64) bool {
	for len(p.done) > 0 && p.done[0].to <= offset {
		p.done = p.done[1:]
	}
	return len(p.done) > 0 && p.done[0].from <= offset
}

// finish says that an offset is done. One that was not handed out is ignored.
func (p *progress) finish(offset int64) {
	open := p.steps[p.head:]
	n := sort.Search(len(open), func(i int) bool { return open[i].offset >= offset })
	if n == len(open) || open[n].offset != offset {
		return
	}
	open[n].done = true
	for p.head < len(p.steps) && p.steps[p.head].done {
		p.next, p.epoch = p.steps[p.head].offset+1, p.steps[p.head].epoch
		p.head++
	}
	if p.head > len(p.steps)/2 {
		p.steps = p.steps[:copy(p.steps, p.steps[p.head:])]
		p.head = 0
	}
}

// ahead is how many messages were handed out that are not below the commit.
func (p *progress) ahead() int { return len(p.steps) - p.head }

// spans returns what is done beyond the first offset that is not: what was done here, then what an earlier owner did and was not read again.
func (p *progress) spans() (spans []span) {
	in := false
	for _, step := range p.steps[p.head:] {
		switch {
		case !step.done:
		case in: // there is nothing between two offsets that were handed out one after the other
			spans[len(spans)-1].to = step.offset + 1
		default:
			spans = append(spans, span{step.offset, step.offset + 1})
		}
		in = step.done
	}
	for _, left := range p.done {
		if left.to > p.read {
			spans = append(spans, span{max(left.from, p.read), left.to})
		}
	}
	return spans
}

// first is the first offset that is not done, unknown if none was handed out.
func (p *progress) first() int64 {
	if p.next == unknown && p.head < len(p.steps) {
		return p.steps[p.head].offset
	}
	return p.next
}
