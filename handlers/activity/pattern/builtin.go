package pattern

import (
	_ "embed"
	"fmt"
	"slices"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed builtin.yaml
var builtinYAML []byte

// Builtin returns the built-in categories with their patterns, in the order in which categories are listed
// everywhere; Uncategorized, the last, has none. The file is parsed once; the caller owns the slice but not the
// pattern lists in it.
func Builtin() []Category { return slices.Clone(builtin()) }

var builtin = sync.OnceValue(func() []Category {
	var categories []Category
	if err := yaml.UnmarshalWithOptions(builtinYAML, &categories, yaml.Strict()); err != nil {
		panic(fmt.Sprintf("pattern: the embedded builtin.yaml is broken: %v", err))
	}
	return categories
})
