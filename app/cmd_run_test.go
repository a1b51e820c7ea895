package app

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSampleRate(t *testing.T) {
	for name, test := range map[string]struct {
		rate     float64
		sampling bool
		rest     []string
		want     float64
		problem  string
	}{
		"off":                       {},
		"--sample":                  {rate: 50, sampling: true, want: 50},
		"--sample 200":              {rate: 50, sampling: true, rest: []string{"200"}, want: 200},
		"--sample=-1":               {rate: -1, sampling: true, problem: "between 0 and 1000000"},
		"--sample fast":             {rate: 50, sampling: true, rest: []string{"fast"}, problem: `unexpected argument "fast"`},
		"a number without --sample": {rest: []string{"200"}, problem: `unexpected argument "200"`},
	} {
		t.Run(name, func(t *testing.T) {
			rate, err := sampleRate(test.rate, test.sampling, test.rest)
			if test.problem != "" {
				require.ErrorContains(t, err, test.problem)
				require.ErrorIs(t, err, errUsage)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, rate)
		})
	}
}

func TestWrongUsageExitsWith2AndSaysWhatToDo(t *testing.T) {
	for _, test := range []struct {
		args    []string
		problem string
	}{
		{[]string{"frobnicate"}, `unknown command "frobnicate"`},
		{[]string{"run", "--nosuch"}, "unknown flag: --nosuch"},
		{[]string{"run", "--redis.addr=", "--store.uri="}, "leat run --embedded --sample"},
		{[]string{"config"}, "leat config print"},
		{[]string{"config", "check", "--log.level", "loud"}, "debug"},
	} {
		var out, errOut bytes.Buffer
		require.Equal(t, exitUsage, Main(t.Context(), test.args, nil, &out, &errOut), test.args)
		require.Contains(t, errOut.String(), test.problem)
	}
}
