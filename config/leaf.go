package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Validator is a config struct with rules that span fields. Validate reports each broken rule under a key
// relative to the struct. The problem must not repeat the value of a secret.
type Validator interface {
	Validate(report func(key, problem string))
}

// leaf is one key that has a value. All that this package does is a walk over the list of leaves.
type leaf struct {
	key         string // "broker.redisstream.claim.min_idle"
	doc         string
	defaultText string
	min, max    string
	oneof       []string
	env         []string // LEAT_… first
	flags       []string // the key first
	secret      secrecy
	kind        kind
	field       reflect.Value
	origin      string // "default", "leat.yaml:12", "environment LEAT_BROKER_KIND", "flag --broker.kind"
}

// section is a key that has keys below it.
type section struct{ key, doc string }

// tree is what walking a struct yields: its leaves, sections and validators, in the order of the fields.
type tree struct {
	leaves     []*leaf
	sections   []section
	validators []validator
}

type validator struct {
	prefix string
	Validator
}

// walk lists the leaves of the struct that root points to. Their fields are those of root. It panics if the
// tags make no sense, as that is a mistake in the program.
func walk(root any) *tree {
	t := &tree{}
	t.add(reflect.ValueOf(root).Elem(), "", nil)
	t.leaves = grouped(t.leaves, 0)
	t.mustBeSound()
	return t
}

func (t *tree) add(value reflect.Value, prefix string, defaults map[string]string) {
	if v, ok := value.Addr().Interface().(Validator); ok {
		t.validators = append(t.validators, validator{prefix, v})
	}
	for i := range value.NumField() {
		field := value.Type().Field(i)
		tag, tagged := field.Tag.Lookup("config")
		if !tagged || tag == "-" {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		if !field.IsExported() || (name == "") != (option == "inline") || (field.Anonymous && name != "") || !keyName.MatchString(name+"x") {
			panic(fmt.Sprintf("config: field %s of %s has an unusable tag %q", field.Name, value.Type(), tag))
		}
		key := join(prefix, name)
		if field.Type.Kind() != reflect.Struct {
			t.leaves = append(t.leaves, newLeaf(key, field, value.Field(i), defaults))
			continue
		}
		if name != "" {
			t.sections = append(t.sections, section{key, field.Tag.Get("doc")})
		}
		t.add(value.Field(i), key, overriding(defaults, key, field.Tag.Get("defaults")))
		for name := range overriding(nil, key, field.Tag.Get("defaults")) {
			if t.leaf(name) == nil {
				panic(fmt.Sprintf("config: a default for %s, which is no key", name))
			}
		}
	}
}

// overriding adds the overrides of a struct's tag to those that stand further out, which win.
func overriding(outer map[string]string, prefix, tag string) map[string]string {
	if tag == "" {
		return outer
	}
	result := map[string]string{}
	for pair := range strings.SplitSeq(tag, ",") {
		name, text, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok {
			panic(fmt.Sprintf("config: %q in the defaults of %s is not key=value", pair, prefix))
		}
		result[join(prefix, name)] = text
	}
	maps.Copy(result, outer)
	return result
}

func newLeaf(key string, field reflect.StructField, value reflect.Value, defaults map[string]string) *leaf {
	l := &leaf{
		key:         key,
		doc:         strings.TrimSuffix(field.Tag.Get("doc"), "."), // limits may follow
		defaultText: field.Tag.Get("default"),
		min:         field.Tag.Get("min"),
		max:         field.Tag.Get("max"),
		env:         []string{envName(key)},
		flags:       []string{key},
		secret:      secrecy(field.Tag.Get("secret")),
		kind:        kindOf(field),
		field:       value,
		origin:      "default",
	}
	if text, ok := defaults[key]; ok {
		l.defaultText = text
	}
	if s := field.Tag.Get("oneof"); s != "" {
		l.oneof = strings.Split(s, "|")
	}
	if s := field.Tag.Get("env"); s != "" {
		l.env = append(l.env, strings.Split(s, ",")...)
	}
	if s := field.Tag.Get("flag"); s != "" {
		l.flags = append(l.flags, s)
	}
	if l.min == "" && (l.kind == kindDuration || l.kind == kindSize) {
		l.min = "0"
	}
	if err := l.setDefault(); err != "" {
		panic(fmt.Sprintf("config: default %q of %s: %s", l.defaultText, key, err))
	}
	return l
}

// setDefault sets the leaf to its default. A default may lie outside what is allowed only by being absent.
func (l *leaf) setDefault() (problem string) {
	l.field.SetZero()
	if l.defaultText == "" {
		return ""
	}
	return l.setText(l.defaultText, "default")
}

// grouped reorders leaves so that those of one section stand together, at the place of its first.
func grouped(leaves []*leaf, depth int) []*leaf {
	var names []string
	groups := map[string][]*leaf{}
	for _, l := range leaves {
		name := strings.Split(l.key, ".")[depth]
		if groups[name] == nil {
			names = append(names, name)
		}
		groups[name] = append(groups[name], l)
	}
	result := make([]*leaf, 0, len(leaves))
	for _, name := range names {
		group := groups[name]
		if !slices.ContainsFunc(group, func(l *leaf) bool { return strings.Count(l.key, ".") == depth }) {
			group = grouped(group, depth+1)
		}
		result = append(result, group...)
	}
	return result
}

// mustBeSound panics if two leaves share a key, an environment variable or a flag, or one is also a section;
// it also adds the sections that only dotted keys imply.
func (t *tree) mustBeSound() {
	taken := map[string]string{}
	take := func(name, key string) {
		if other, ok := taken[name]; ok {
			panic(fmt.Sprintf("config: %s belongs to both %s and %s", name, other, key))
		}
		taken[name] = key
	}
	for _, l := range t.leaves {
		for _, name := range slices.Concat(l.env, l.flags) {
			take(name, l.key)
		}
	}
	for _, l := range t.leaves {
		for key := parent(l.key); key != ""; key = parent(key) {
			if _, ok := taken[key]; ok {
				panic("config: " + key + " is both a value and a section")
			}
			if t.section(key) == nil {
				t.sections = append(t.sections, section{key: key})
			}
		}
	}
}

func (t *tree) leaf(key string) *leaf {
	for _, l := range t.leaves {
		if l.key == key {
			return l
		}
	}
	return nil
}

func (t *tree) section(key string) *section {
	for i := range t.sections {
		if t.sections[i].key == key {
			return &t.sections[i]
		}
	}
	return nil
}

func join(prefix, name string) string {
	if prefix == "" || name == "" {
		return prefix + name
	}
	return prefix + "." + name
}

func parent(key string) string {
	return key[:max(0, strings.LastIndexByte(key, '.'))]
}
