package config

import (
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// Options says where the configuration comes from, beside the defaults.
type Options struct {
	// File is the YAML file; it must exist. Empty means DefaultFile in the working directory, if that exists.
	File string
	// Environ holds "NAME=value" pairs; nil means the environment of the process.
	Environ []string
	// Flags is a parsed set that RegisterFlags has filled; nil means no flags.
	Flags *pflag.FlagSet
}

// Load returns the configuration: defaults, then the file, then the environment, then flags. The report tells where
// each value comes from. An error is an *Error with every problem there is, of all sources, values that a later source
// replaces included.
func Load(options Options) (*Config, *Report, error) {
	cfg := new(Config)
	report, err := fill(cfg, options)
	if err != nil {
		return nil, nil, err
	}
	return cfg, report, nil
}

// Default returns the configuration that an empty environment without a file yields.
func Default() *Config {
	cfg := new(Config)
	walk(cfg)
	return cfg
}

// fill does the work of Load for any struct of the form that the package describes.
func fill(root any, options Options) (*Report, error) {
	t, found := walk(root), newProblems()
	environ := options.Environ
	if environ == nil {
		environ = os.Environ()
	}
	t.readFile(options.File, found)
	t.readEnv(environ, found)
	t.readFlags(options.Flags, found)
	t.validate(found)
	if len(found.list) > 0 {
		return nil, &Error{found.list}
	}
	return &Report{t}, nil
}

// validate asks the structs for broken rules that span fields. A key that has a problem already gets no second one.
func (t *tree) validate(found *problems) {
	broken := newProblems()
	for _, v := range t.validators {
		v.Validate(func(key, problem string) {
			p := Problem{Key: strings.Trim(join(v.prefix, key), "."), Message: problem}
			if l := t.leaf(p.Key); l != nil {
				p.Origin, p.Value = l.origin, l.shown(l.text())
			}
			if !found.keys[p.Key] {
				broken.add(p)
			}
		})
	}
	found.list = append(found.list, broken.list...)
}
