package pattern

import (
	"cmp"
	"slices"
)

// trie holds entries by the bytes of their keys. Nodes are numbered breadth first, so a node's children are
// contiguous and a shallow node has a lower number than a deeper one. Node 0 is the root.
type trie struct {
	nodes   []node
	entries []entry // sorted by key, then mode
	root    [256]int32
}

type node struct {
	child    int32 // the first child
	entry    int32 // the first entry that ends here
	children uint16
	ends     uint8 // how many entries end here: one for each mode
	label    byte
}

func newTrie(entries []entry) trie {
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.mode, b.mode))
	})
	type span struct{ lo, hi, depth int }
	t := trie{nodes: make([]node, 1, 1+4*len(entries)), entries: entries}
	spans := []span{{0, len(entries), 0}}
	for i := 0; i < len(t.nodes); i++ {
		s := spans[i]
		n := node{label: t.nodes[i].label, entry: int32(s.lo), child: int32(len(t.nodes))}
		for s.lo < s.hi && len(entries[s.lo].key) == s.depth {
			n.ends++
			s.lo++
		}
		for s.lo < s.hi {
			label, hi := entries[s.lo].key[s.depth], s.lo+1
			for hi < s.hi && entries[hi].key[s.depth] == label {
				hi++
			}
			t.nodes = append(t.nodes, node{label: label})
			spans = append(spans, span{s.lo, hi, s.depth + 1})
			n.children++
			s.lo = hi
		}
		t.nodes[i] = n
	}
	for i := range t.childrenOf(0) {
		t.root[t.nodes[1+i].label] = int32(1 + i)
	}
	return t
}

func (t *trie) childrenOf(at int32) []node {
	n := &t.nodes[at]
	return t.nodes[n.child : n.child+int32(n.children)]
}

// next returns the child of a node by its label, or 0.
func (t *trie) next(at int32, label byte) int32 {
	if at == 0 {
		return t.root[label]
	}
	children := t.childrenOf(at)
	lo, hi := 0, len(children)
	for lo < hi {
		switch mid := int(uint(lo+hi) >> 1); {
		case children[mid].label == label:
			return t.nodes[at].child + int32(mid)
		case children[mid].label < label:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return 0
}

// endsAt returns the entries whose key is the path to a node, the strictest mode first.
func (t *trie) endsAt(at int32) []entry {
	n := &t.nodes[at]
	return t.entries[n.entry : n.entry+int32(n.ends)]
}
