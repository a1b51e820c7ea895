package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sample has one of everything that a config struct can have.
type sample struct {
	Name    string        `config:"name" default:"a" min:"1" max:"5" env:"SAMPLE_NAME" flag:"n" doc:"what it is called"`
	Server  server        `config:"server" doc:"where it runs"`
	Main    worker        `config:"main" defaults:"size=7, wait.most=1h"`
	Other   worker        `config:"other"`
	Token   string        `config:"token" secret:"true"`
	Address string        `config:"address" secret:"uri"`
	Late    time.Duration `config:"server.late" default:"3s"`
	Note    string        `config:"note" default:"#1: \"quoted\""`
	Tags    []string      `config:"tags" default:"a b"`
	Private string        // without a tag it is no key
}

type server struct {
	Port  int      `config:"port" default:"80" min:"1" max:"65535"`
	Quick bool     `config:"quick" default:"true"`
	Modes []string `config:"modes" default:"x,y" oneof:"x|y|z" min:"1" max:"2"`
}

type worker struct {
	Common `config:",inline"`
	Wait   struct {
		Least time.Duration `config:"least" default:"1s"`
		Most  time.Duration `config:"most" default:"1m"`
	} `config:"wait"`
	Share float64 `config:"share" default:"0.5" min:"0" max:"1"`
}

type Common struct {
	Size  int   `config:"size" default:"5"`
	Limit int64 `config:"limit" unit:"bytes" default:"64KiB"`
}

func (w worker) Validate(report func(key, problem string)) {
	if w.Wait.Most < w.Wait.Least {
		report("wait.most", "is shorter than wait.least")
	}
	if w.Size == 13 {
		report("", "cannot be")
	}
}

func TestWalkListsLeavesInTheOrderOfTheFieldsWithSectionsTogether(t *testing.T) {
	tree := walk(new(sample))
	var keys []string
	for _, l := range tree.leaves {
		keys = append(keys, l.key+"="+l.text())
	}
	require.Equal(t, []string{
		"name=a", "server.port=80", "server.quick=true", "server.modes=x,y", "server.late=3s",
		"main.size=7", "main.limit=64KiB", "main.wait.least=1s", "main.wait.most=1h", "main.share=0.5",
		"other.size=5", "other.limit=64KiB", "other.wait.least=1s", "other.wait.most=1m", "other.share=0.5",
		"token=", "address=", "note=#1: \"quoted\"", "tags=a b",
	}, keys)
}

func TestWalkSetsTheDefaultsInTheStruct(t *testing.T) {
	var s sample
	walk(&s)
	require.Equal(t, 7, s.Main.Size)
	require.Equal(t, int64(64<<10), s.Other.Limit)
	require.Equal(t, time.Hour, s.Main.Wait.Most)
	require.Equal(t, []string{"x", "y"}, s.Server.Modes)
}

func TestWalkRefusesTagsThatMakeNoSense(t *testing.T) {
	for name, root := range map[string]any{
		"two fields of one key": new(struct {
			A int `config:"x"`
			B int `config:"x"`
		}),
		"two keys of one variable": new(struct {
			A int `config:"x_y"`
			B int `config:"x.y"`
		}),
		"a key that is a section too": new(struct {
			A int `config:"x"`
			B int `config:"x.y"`
		}),
		"a default that does not parse": new(struct {
			A int `config:"x" default:"many"`
		}),
		"a default out of range": new(struct {
			A int `config:"x" default:"7" max:"3"`
		}),
		"a bound that does not parse": new(struct {
			A int `config:"x" default:"7" max:"few"`
		}),
		"a type without a written form": new(struct {
			A map[string]int `config:"x"`
		}),
		"an embedded struct with a key": new(struct {
			Common `config:"x"`
		}),
		"an unexported field": new(struct {
			a int `config:"x"`
		}),
		"defaults that are not pairs": new(struct {
			C struct{} `config:"x" defaults:"size"`
		}),
		"defaults for a key that is not there": new(struct {
			C struct{} `config:"x" defaults:"size=1"`
		}),
		"a key that cannot be written": new(struct {
			A int `config:"x y"`
		}),
	} {
		t.Run(name, func(t *testing.T) { require.Panics(t, func() { walk(root) }) })
	}
}

// TestConfigIsDocumented holds every key of leat to what the example file and the reference need.
func TestConfigIsDocumented(t *testing.T) {
	for _, l := range walk(new(Config)).leaves {
		require.NotEmpty(t, l.doc, l.key)
		require.NotContains(t, l.doc, "\n", l.key)
	}
}

func TestDefaultsAreValid(t *testing.T) {
	found := newProblems()
	walk(new(Config)).validate(found)
	require.Empty(t, found.list)
}
