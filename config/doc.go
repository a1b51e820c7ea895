// Package config is the configuration of leat: one struct composed of the packages' own Config structs, filled
// from their defaults, then a YAML file, then the environment, then flags.
//
// Everything that is known about a key stands in the tags of its field:
//
//	config:"key"        the key, relative to the struct; "a.b" nests; ",inline" takes a struct's keys as one's own
//	default:"…"         the default, as it is written in a file; absent means the zero value
//	defaults:"k=v, …"   on a struct: other defaults for keys within it
//	doc:"…"             one sentence for the example file, the help and the table of docs/configuration.md
//	min:"…" max:"…"     the range of a number, a duration or a size; of a string or list: of its length
//	oneof:"a|b"         the only values allowed; of a list: of its entries
//	env:"REDIS_ADDR"    an environment variable beside LEAT_…, which comes first
//	flag:"data-dir"     a flag beside --the.key
//	secret:"true"       never shown; secret:"uri" hides only the passwords within a URI,
//	                    secret:"address" what is not a plain address
//	unit:"bytes"        an int64 that is written as a size: 256KiB, 8MiB, 100
//
// Fields are bool, int, int64, float64, string, []string, time.Duration and structs of them. Durations and sizes
// are not negative unless min says otherwise. A struct with a rule that spans fields has the method of Validator.
package config
