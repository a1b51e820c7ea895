package pattern

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Modes of a title keyword: bits that free one of its ends from the need to stand at the edge of a word.
const (
	openStart uint8 = 1 << iota
	openEnd
)

// maxTable bounds the transition table, in cells of 4 bytes. States beyond it, the deepest ones, follow their
// failure links instead, which is slower and rarely reached.
const maxTable = 1 << 20

// ends marks a packed state at which keywords end.
const ends = 1 << 31

// titles finds keywords anywhere in a title: an Aho–Corasick automaton over the bytes of the folded keywords.
// Both cases of an ASCII letter have one class, so ASCII titles are read as they are.
type titles struct {
	trie
	fail  []int32 // the longest proper suffix of a state that is a state too
	out   []int32 // the state itself or the nearest one on its failure path where keywords end; 0 for none
	class [256]uint8
	shift uint     // a row of the table is as long as the next power of two above the number of classes
	table []uint32 // of the shallowest states: state<<shift|class -> packed state, which is state<<shift|ends
}

// normaliseTitle splits a keyword into its key and mode.
func normaliseTitle(pattern string) (string, uint8) {
	pattern = strings.TrimSpace(pattern)
	var mode uint8
	if rest, ok := strings.CutPrefix(pattern, "*"); ok {
		pattern, mode = rest, openStart
	}
	if rest, ok := strings.CutSuffix(pattern, "*"); ok {
		pattern, mode = rest, mode|openEnd
	}
	key := strings.TrimSpace(string(appendFolded(nil, pattern)))
	if first, _ := utf8.DecodeRuneInString(key); !wordRune(first) {
		mode |= openStart
	}
	if last, _ := utf8.DecodeLastRuneInString(key); !wordRune(last) {
		mode |= openEnd
	}
	return key, mode
}

func newTitles(entries []entry) titles {
	t := titles{trie: newTrie(entries)}
	t.fail, t.out = make([]int32, len(t.nodes)), make([]int32, len(t.nodes))
	for i := range t.nodes {
		t.link(int32(i))
	}
	labels := make([]byte, 1, 256) // by class; class 0 is every byte that no keyword has
	for _, n := range t.nodes[1:] {
		if t.class[n.label] == 0 {
			t.class[n.label] = uint8(len(labels))
			if 'a' <= n.label && n.label <= 'z' {
				t.class[n.label-'a'+'A'] = uint8(len(labels))
			}
			labels = append(labels, n.label)
		}
	}
	t.shift = uint(bits.Len(uint(len(labels) - 1)))
	dense := min(len(t.nodes), maxTable>>t.shift)
	t.table = make([]uint32, dense<<t.shift)
	for state := range int32(dense) {
		row := t.table[state<<t.shift : (state+1)<<t.shift]
		if state > 0 { // a failure link leads to a lower number, so that row is complete
			copy(row, t.table[t.fail[state]<<t.shift:])
		}
		for c := 1; c < len(labels); c++ {
			if to := t.next(state, labels[c]); to != 0 {
				row[c] = t.pack(to)
			}
		}
	}
	return t
}

// link sets the failure and output links of a node's children; its own are set already.
func (t *titles) link(at int32) {
	if t.nodes[at].ends > 0 {
		t.out[at] = at
	} else {
		t.out[at] = t.out[t.fail[at]]
	}
	if at == 0 {
		return // its children fail to the root
	}
	first := t.nodes[at].child
	for i, child := range t.childrenOf(at) {
		f := t.fail[at]
		for f != 0 && t.next(f, child.label) == 0 {
			f = t.fail[f]
		}
		t.fail[first+int32(i)] = t.next(f, child.label)
	}
}

// find returns the longest keyword in a title, the leftmost of equally long ones.
func (t *titles) find(title string) *entry {
	if len(t.entries) == 0 || title == "" {
		return nil
	}
	if isASCII(title) {
		return scan(t, title)
	}
	var buf [512]byte
	return scan(t, appendFolded(buf[:0], title))
}

func scan[T string | []byte](t *titles, text T) *entry {
	var best *entry
	at, table := uint32(0), t.table
	for i := 0; i < len(text); i++ {
		c := text[i]
		if cell := int(at&^ends) | int(t.class[c]); cell < len(table) {
			at = table[cell]
		} else {
			at = t.deep(at, c)
		}
		if at&ends != 0 {
			best = longest(t, text, i+1, t.out[t.unpack(at)], best)
		}
	}
	return best
}

func (t *titles) pack(state int32) uint32 {
	packed := uint32(state) << t.shift
	if t.out[state] != 0 {
		packed |= ends
	}
	return packed
}

func (t *titles) unpack(at uint32) int32 { return int32((at &^ ends) >> t.shift) }

// deep is a step from a state that has no row in the table.
func (t *titles) deep(at uint32, c byte) uint32 {
	c = lowerASCII(c)
	state := t.unpack(at)
	for {
		if to := t.next(state, c); to != 0 || state == 0 {
			return t.pack(to)
		}
		state = t.fail[state]
	}
}

// longest returns the longest keyword that ends at end and stands as its mode asks, or best if that is not shorter.
func longest[T string | []byte](t *titles, text T, end int, out int32, best *entry) *entry {
	for ; out != 0; out = t.out[t.fail[out]] {
		found := t.endsAt(out)
		size := len(found[0].key)
		if best != nil && size <= len(best.key) {
			return best
		}
		for k := range found {
			mode := found[k].mode
			if (mode&openStart != 0 || wordStarts(text, end-size)) && (mode&openEnd != 0 || wordEnds(text, end)) {
				return &found[k]
			}
		}
	}
	return best
}

// wordStarts reports whether no word that is written with spaces reaches across text[i] from before.
func wordStarts[T string | []byte](text T, i int) bool {
	if i == 0 {
		return true
	}
	if text[i-1] < utf8.RuneSelf {
		return !wordASCII(text[i-1])
	}
	r, _ := utf8.DecodeLastRuneInString(string(text[max(0, i-utf8.UTFMax):i]))
	return !wordRune(r)
}

// wordEnds reports whether no word that is written with spaces reaches across text[i] to what follows.
func wordEnds[T string | []byte](text T, i int) bool {
	if i == len(text) {
		return true
	}
	if text[i] < utf8.RuneSelf {
		return !wordASCII(text[i])
	}
	r, _ := utf8.DecodeRuneInString(string(text[i:min(len(text), i+utf8.UTFMax)]))
	return !wordRune(r)
}
