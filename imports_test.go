package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rule says what the packages of a folder may import. Their own folder, and what lies below it, they always may.
type rule struct {
	of      string   // the folder, with all below it; in "handlers/*" the star stands for one name, which "*" in leat repeats
	leat    []string // folders of this module, with all below them, or after "=" without
	others  []string // modules of others; nil means any but drivers and fx
	drivers bool     // drivers too
	fx      bool     // fx too
	why     string
}

// rules are tried in order; the first one that fits a package is its own.
var rules = []rule{
	{of: "app", leat: []string{""}, drivers: true, fx: true},
	{of: "bench", leat: []string{""}, drivers: true},
	{of: "tools", leat: []string{""}, drivers: true},
	{of: "e2e", leat: []string{"adapters", "handlers"}, drivers: true,
		why: "it meets the program as its users do, from outside"},
	{of: "config", leat: []string{"adapters", "handlers", "middleware"},
		why: "config composes the Config types of the packages, and only app knows how they are put together"},

	{of: "handlers/fault", others: []string{},
		why: "every package speaks of errors in its words, so it depends on nothing"},
	{of: "handlers/delivery", others: []string{"github.com/ThreeDotsLabs/watermill/message"},
		why: "subscribers, middleware and handlers agree on it, so it depends on messages alone"},
	{of: "handlers/batch", leat: []string{"handlers/fault", "handlers/delivery"}, others: []string{"github.com/ThreeDotsLabs/watermill/message"},
		why: "the engine runs every pipeline and knows none"},
	{of: "handlers/*", leat: []string{"handlers/batch", "handlers/fault", "handlers/delivery"},
		why: "a pipeline owns ports that adapters implement, and stands beside other pipelines, not on them"},

	{of: "middleware", leat: []string{"handlers/fault", "handlers/delivery"},
		why: "middleware handles messages and errors of every pipeline alike"},

	{of: "adapters/pubsub/inflight", leat: []string{"=adapters/pubsub", "handlers"},
		why: "it is the half of a subscriber that knows no broker"},
	{of: "adapters/pubsub/pubsubtest", leat: []string{"=adapters/pubsub", "adapters/pubsub/inflight", "handlers"},
		why: "the conformance suite knows no broker"},
	{of: "adapters/pubsub/*", leat: []string{"=adapters/pubsub", "adapters/pubsub/inflight", "adapters/pubsub/pubsubtest", "adapters/encryption", "handlers"}, drivers: true,
		why: "a broker can be swapped for another one, so it must not lean on one"},
	{of: "adapters/encryption", leat: []string{"handlers/fault"}, others: []string{},
		why: "it is a section of the configuration of many adapters, and knows none"},
	{of: "adapters/*", leat: []string{"adapters/encryption", "handlers"}, drivers: true,
		why: "an adapter implements ports of the handlers, and can be left out without the others"},

	{of: "", leat: []string{"app"}, others: []string{},
		why: "main is signals and an exit code; the program is in app"},
}

// drivers are the clients of stores, brokers and services.
var drivers = []string{
	"github.com/redis", "go.mongodb.org", "github.com/jackc", "modernc.org/sqlite", "github.com/alicebob/miniredis", "database/sql",
	"github.com/ThreeDotsLabs/watermill-", "github.com/nats-io", "github.com/twmb", "github.com/IBM/sarama", "github.com/rabbitmq", "github.com/openai",
}

// outside are folders that use the program, and that no part of it uses.
var outside = []string{"bench", "e2e", "tools"}

// forTests are what any test may import.
var forTests = []string{"github.com/stretchr/testify", "go.uber.org/goleak"}

const module = "leat"

// Who may import whom. The compiler refuses circles; this refuses the rest of what would tie the parts together.
func TestImports(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if file != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || isModule(file)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		folder := filepath.ToSlash(filepath.Dir(file))
		if folder == "." {
			folder = ""
		}
		seen[folder] = true
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range source.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if problem := judge(folder, imported, strings.HasSuffix(file, "_test.go")); problem != "" {
				t.Errorf("%s: %s", file, problem)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"", "app", "config", "handlers/fault", "handlers/batch", "handlers/activity", "middleware", "adapters/redis", "adapters/pubsub/redisstream"} {
		if !seen[folder] {
			t.Errorf("no Go files in %q: the rules speak of a folder that is not there", folder)
		}
	}
}

func isModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}

// judge returns what is wrong with an import, as a sentence, or nothing.
func judge(folder, imported string, test bool) string {
	rule, name := ruleOf(folder)
	problem := ""
	switch local, ours := strings.CutPrefix(imported, module+"/"); {
	case imported == "C":
		return "imports C, but the program is a static binary"
	case ours:
		problem = rule.judgeLocal(folder, local, name)
	case test && (under(imported, forTests...) || imported == "testing" || strings.HasPrefix(imported, "testing/")):
	default:
		problem = rule.judgeOutside(imported)
	}
	if problem == "" {
		return ""
	}
	if rule.why != "" {
		problem += ": " + rule.why
	}
	return fmt.Sprintf("imports %s, but %s", imported, problem)
}

// ruleOf returns the rule of a folder, and what the star in it stands for.
func ruleOf(folder string) (found rule, name string) {
	for _, rule := range rules {
		prefix, star := strings.CutSuffix(rule.of, "*")
		if !star {
			if under(folder, rule.of) && (rule.of != "" || folder == "") {
				return rule, ""
			}
			continue
		}
		if rest, ok := strings.CutPrefix(folder, prefix); ok {
			name, _, _ = strings.Cut(rest, "/")
			return rule, name
		}
	}
	return rule{of: folder, others: []string{}, why: "no rule says what this folder is; add one to imports_test.go"}, ""
}

func (r rule) judgeLocal(folder, local, name string) string {
	own := path.Clean(strings.Replace(r.of, "*", name, 1))
	switch {
	case folder != "" && under(local, own), under(local, r.leat...) && !under(local, outside...), slices.Contains(r.leat, "="+local):
		return ""
	case under(local, outside...):
		return local + " stands outside of the program"
	case under(local, "config"):
		return "only app imports config"
	case len(r.leat) == 0:
		return folder + " may import nothing of " + module
	}
	return fmt.Sprintf("%s may import only %s of %s", orMain(folder), strings.ReplaceAll(strings.Join(r.leat, ", "), "=", ""), module)
}

func (r rule) judgeOutside(imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case under(imported, "go.uber.org/fx", "go.uber.org/dig"):
		if !r.fx {
			return "only app imports fx"
		}
	case isDriver(imported):
		if !r.drivers {
			return "drivers are for adapters"
		}
	case r.others == nil, !strings.Contains(first, "."), under(imported, r.others...):
	case len(r.others) == 0:
		return r.of + " may import the standard library only"
	default:
		return fmt.Sprintf("%s may import only %s beside the standard library", r.of, strings.Join(r.others, ", "))
	}
	return ""
}

func isDriver(imported string) bool {
	return slices.ContainsFunc(drivers, func(prefix string) bool { return strings.HasPrefix(imported, prefix) })
}

func orMain(folder string) string {
	if folder == "" {
		return "main"
	}
	return folder
}

// under reports whether a path is one of the folders or lies below one. All lie below "".
func under(file string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool {
		return folder == "" || file == folder || strings.HasPrefix(file, folder+"/")
	})
}

// What the rules say, case by case: they can fail.
func TestImportRules(t *testing.T) {
	const watermill = "github.com/ThreeDotsLabs/watermill/message"
	for _, test := range []struct {
		folder, imported, says string
		test                   bool
	}{
		{folder: "", imported: "leat/app"},
		{folder: "", imported: "leat/config", says: "only app imports config"},
		{folder: "", imported: "leat/handlers/activity", says: "main may import only app"},
		{folder: "", imported: "github.com/spf13/cobra", says: "standard library only"},
		{folder: "app", imported: "go.uber.org/fx"},
		{folder: "app", imported: "leat/config"},
		{folder: "app", imported: "github.com/redis/go-redis/v9"},
		{folder: "app", imported: "leat/bench", says: "outside of the program"},
		{folder: "config", imported: "leat/adapters/redis"},
		{folder: "config", imported: "leat/app", says: "config may import only"},
		{folder: "config", imported: "go.uber.org/fx", says: "only app imports fx"},
		{folder: "handlers/fault", imported: "net"},
		{folder: "handlers/fault", imported: "leat/handlers/delivery", says: "may import nothing of leat"},
		{folder: "handlers/fault", imported: watermill, says: "standard library only"},
		{folder: "handlers/fault", imported: "github.com/stretchr/testify/require", test: true},
		{folder: "handlers/delivery", imported: watermill},
		{folder: "handlers/delivery", imported: "leat/handlers/fault", says: "may import nothing of leat"},
		{folder: "handlers/batch", imported: "leat/handlers/delivery"},
		{folder: "handlers/batch", imported: "leat/handlers/activity", says: "the engine runs every pipeline and knows none"},
		{folder: "handlers/batch", imported: "github.com/maypok86/otter/v2", says: "may import only " + watermill},
		{folder: "handlers/activity", imported: "leat/handlers/batch"},
		{folder: "handlers/activity", imported: "leat/handlers/activity/pattern"},
		{folder: "handlers/activity/pattern", imported: "leat/handlers/activity"},
		{folder: "handlers/activity", imported: "leat/handlers/chat", says: "handlers/activity may import only"},
		{folder: "handlers/activity", imported: "leat/adapters/redis", says: "a pipeline owns ports"},
		{folder: "handlers/activity", imported: "github.com/alicebob/miniredis/v2", test: true, says: "drivers are for adapters"},
		{folder: "handlers/activity", imported: "github.com/maypok86/otter/v2"},
		{folder: "handlers/activity", imported: "database/sql", says: "drivers are for adapters"},
		{folder: "handlers/activity", imported: "leat/config", says: "only app imports config"},
		{folder: "middleware", imported: "leat/handlers/delivery"},
		{folder: "middleware", imported: "leat/handlers/batch", says: "middleware may import only"},
		{folder: "middleware", imported: "github.com/sony/gobreaker/v2"},
		{folder: "adapters/redis", imported: "leat/handlers/activity"},
		{folder: "adapters/redis", imported: "leat/handlers/activity/boardstest", test: true},
		{folder: "adapters/redis", imported: "leat/adapters/sqldb", says: "adapters/redis may import only"},
		{folder: "adapters/redis", imported: "leat/middleware", says: "adapters/redis may import only"},
		{folder: "adapters/sqldb", imported: "leat/adapters/sqldb/sqldbtest", test: true},
		{folder: "adapters/pubsub/redisstream", imported: "leat/adapters/pubsub"},
		{folder: "adapters/pubsub/redisstream", imported: "leat/adapters/pubsub/nats", says: "a broker can be swapped"},
		{folder: "adapters/pubsub/redisstream", imported: "leat/adapters/redis", says: "a broker can be swapped"},
		{folder: "adapters/pubsub/nats", imported: "leat/adapters/encryption"},
		{folder: "adapters/redis", imported: "leat/adapters/encryption"},
		{folder: "adapters/encryption", imported: "leat/handlers/fault"},
		{folder: "adapters/encryption", imported: "leat/handlers/delivery", says: "adapters/encryption may import only"},
		{folder: "adapters/encryption", imported: "leat/adapters/redis", says: "knows none"},
		{folder: "adapters/encryption", imported: "github.com/redis/go-redis/v9", says: "drivers are for adapters"},
		{folder: "bench", imported: "leat/app"},
		{folder: "e2e", imported: "leat/adapters/sqldb/sqldbtest"},
		{folder: "e2e", imported: "leat/app", says: "it meets the program as its users do"},
		{folder: "bench", imported: "leat/bench/load"},
		{folder: "bench", imported: "go.uber.org/fx", says: "only app imports fx"},
		{folder: "elsewhere", imported: "leat/app", says: "no rule says what this folder is"},
		{folder: "app", imported: "C", says: "static binary"},
	} {
		got := judge(test.folder, test.imported, test.test)
		if (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
			t.Errorf("%s imports %s: got %q, want %q", test.folder, test.imported, got, test.says)
		}
	}
}
