package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// DefaultFile is read if it exists and no other file is named.
const DefaultFile = "leat.yaml"

// maxFile bounds the configuration file, in bytes.
const maxFile = 64 << 10

// readFile sets leaves from the named file, or, without a name, from DefaultFile if it exists.
func (t *tree) readFile(name string, found *problems) {
	path := name
	if path == "" {
		path = DefaultFile
	}
	data, err := load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && name == "":
	case errors.Is(err, fs.ErrNotExist):
		found.add(Problem{Origin: path, Message: "does not exist"})
	case err != nil:
		found.add(Problem{Origin: path, Message: "cannot be read: " + err.Error()})
	default:
		t.readYAML(path, data, found)
	}
}

func load(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it is larger than %s", formatSize(maxFile))
	}
	return data, err
}

// document is one YAML file on its way into a tree.
type document struct {
	*tree
	name  string
	found *problems
	lines map[string]int // of each key that was met
}

// readYAML sets leaves from a YAML document. Every key is checked, whatever is wrong with the others.
func (t *tree) readYAML(name string, data []byte, found *problems) {
	d := &document{t, name, found, map[string]int{}}
	file, err := parseYAML(bytes.TrimPrefix(data, []byte("\ufeff")))
	if err != nil {
		line, message := syntax(err)
		d.problem(line, "", "%s", message)
		return
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if empty(doc.Body) {
			continue
		}
		if body != nil {
			d.problem(line(doc.Body), "", "begins a second document; a configuration file has one")
			return
		}
		body = doc.Body
	}
	if body != nil {
		d.section("", body)
	}
}

// empty tells bodies without content: "---" alone, comments, and the %YAML line, which the parser takes for a document.
func empty(body ast.Node) bool {
	switch body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode, *ast.DirectiveNode:
		return true
	}
	return false
}

// parseYAML keeps a panic of the parser from ending the program with a stack that quotes the file.
func parseYAML(data []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("cannot be parsed as YAML")
		}
	}()
	if tooDeep(data) {
		return nil, fmt.Errorf("has more than %d brackets within each other", maxDepth)
	}
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// maxDepth bounds open brackets: the parser takes quadratic time on them.
const maxDepth = 50

func tooDeep(data []byte) bool {
	depth := 0
	for _, c := range data {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		}
		if depth > maxDepth {
			return true
		}
	}
	return false
}

// syntax returns the line and the message of a parser's error, without the excerpt of the file that it carries.
func syntax(err error) (int, string) {
	var located yaml.Error
	if !errors.As(err, &located) {
		return 0, err.Error()
	}
	line := 0
	if token := located.GetToken(); token != nil && token.Position != nil {
		line = token.Position.Line
	}
	return line, "is not valid YAML: " + located.GetMessage()
}

func line(node ast.Node) int {
	if token := node.GetToken(); token != nil && token.Position != nil {
		return token.Position.Line
	}
	return 0
}

func (d *document) origin(line int) string {
	if line == 0 {
		return d.name
	}
	return fmt.Sprintf("%s:%d", d.name, line)
}

func (d *document) problem(line int, key, format string, args ...any) {
	d.found.add(Problem{Key: key, Origin: d.origin(line), Message: fmt.Sprintf(format, args...)})
}

var keyName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

func (d *document) section(prefix string, node ast.Node) {
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.NullNode, *ast.CommentGroupNode: // a section whose keys are all commented out
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		d.problem(line(node), prefix, "must hold keys, each on a line of its own: %s", strings.Join(d.children(prefix), ", "))
	}
	for _, value := range values {
		d.entry(prefix, value)
	}
}

func (d *document) entry(prefix string, value *ast.MappingValueNode) {
	at := line(value.Key)
	name, problem := scalar(value.Key)
	if problem != "" || !keyName.MatchString(name) { // not shown: "password:hunter2" without a space is such a key
		d.problem(at, prefix, "holds a key that is not a plain name; is the space after a colon missing?")
		return
	}
	key := join(prefix, name)
	if first, ok := d.lines[key]; ok {
		d.problem(at, key, "stands here a second time; the first is on line %d", first)
		return
	}
	d.lines[key] = at
	if d.tree.section(key) != nil {
		d.section(key, value.Value)
	} else if l := d.leaf(key); l != nil {
		d.value(l, at, value.Value)
	} else {
		d.problem(at, key, "is not a known key; the nearest is %s", d.nearestKey(key))
	}
}

func (d *document) value(l *leaf, at int, node ast.Node) {
	if list, ok := node.(*ast.SequenceNode); ok && l.kind == kindList {
		d.list(l, at, list)
		return
	}
	text, problem := scalar(node)
	if problem != "" {
		d.problem(at, l.key, "%s", problem)
		return
	}
	d.found.set(l, text, d.origin(at))
}

func (d *document) list(l *leaf, at int, node *ast.SequenceNode) {
	items := []string{}
	for _, value := range node.Values {
		item, problem := scalar(value)
		if problem != "" {
			d.problem(line(value), l.key, "has an entry that %s", problem)
			return
		}
		items = append(items, item)
	}
	if problem := l.setItems(items, d.origin(at)); problem != "" {
		d.found.add(Problem{Key: l.key, Origin: d.origin(at), Value: l.shown(strings.Join(items, ", ")), Message: problem})
	}
}

// scalar returns the text of a single value, as it is written, or why it has none.
func scalar(node ast.Node) (text, problem string) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, ""
	case *ast.LiteralNode:
		return n.Value.Value, ""
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, ""
	case *ast.NullNode:
		return "", `has no value; write "" for an empty one, or leave the key out`
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return "", "uses an anchor, alias or tag, which this file does without"
	default:
		return "", "must be a single value"
	}
}

func (d *document) children(prefix string) []string {
	var names []string
	for _, l := range d.leaves {
		rest, ok := strings.CutPrefix(l.key, prefix+".")
		if prefix == "" {
			rest, ok = l.key, true
		}
		name, _, _ := strings.Cut(rest, ".")
		if ok && (len(names) == 0 || names[len(names)-1] != name) {
			names = append(names, name)
		}
	}
	return names
}

func (d *document) nearestKey(key string) string {
	var known []string
	for _, l := range d.leaves {
		known = append(known, l.key)
	}
	for _, s := range d.sections {
		known = append(known, s.key)
	}
	return nearest(key, known, ".")
}
