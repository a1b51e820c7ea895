package config

import (
	"strings"

	"github.com/spf13/pflag"
)

// RegisterFlags adds a flag for every key: --broker.kind and so on. They are hidden from the short help, where
// they would drown the command's own; docs/configuration.md and leat.example.yaml list them. The flags
// only collect text: it is Load that judges them, together with everything else. Other users of the machine can read
// a command line, so secrets are better given by file or environment.
func RegisterFlags(flags *pflag.FlagSet) {
	registerFlags(flags, walk(new(Config)))
}

func registerFlags(flags *pflag.FlagSet, t *tree) {
	for _, l := range t.leaves {
		for i, name := range l.flags {
			flag := &pflag.Flag{
				Name: name, Usage: l.doc, Value: &flagValue{kind: l.kind}, DefValue: l.secret.mask(l.defaultText), Hidden: i == 0,
			}
			if l.kind == kindBool {
				flag.NoOptDefVal = "true"
			}
			flags.AddFlag(flag)
		}
	}
}

// readFlags sets leaves from those flags that were given on the command line.
func (t *tree) readFlags(flags *pflag.FlagSet, found *problems) {
	if flags == nil {
		return
	}
	for _, l := range t.leaves {
		for _, name := range l.flags {
			if flag := flags.Lookup(name); flag != nil && flag.Changed {
				found.set(l, flag.Value.String(), "flag --"+name)
			}
		}
	}
}

// flagValue is the text given to a flag: the last one, or of a list all of them.
type flagValue struct {
	kind kind
	text []string
}

func (v *flagValue) Set(text string) error {
	if v.kind != kindList {
		v.text = nil
	}
	v.text = append(v.text, text)
	return nil
}

func (v *flagValue) String() string { return strings.Join(v.text, ",") }
func (v *flagValue) Type() string   { return string(v.kind) }
