package config

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMask(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "",
		"mongodb://host:27017/db":                "mongodb://host:27017/db",
		"mongodb://me@host/db?replicaSet=a":      "mongodb://me@host/db?replicaSet=a",
		"mongodb://me:pw@a:1,b:2/db?w=majority":  "mongodb://me:<masked>@a:1,b:2/db?w=majority",
		"mongodb+srv://me:p:w@host":              "mongodb+srv://me:<masked>@host",
		"redis://:pw@host":                       "redis://:<masked>@host",
		"mongodb://me:p@w@host":                  "mongodb://me:<masked>@host",
		"mongodb://me:p/w@host":                  "mongodb://<masked>",
		"mongodb://me:a?key=b@host":              "mongodb://<masked>",
		"postgres://host:5432/db?password=p@w":   "postgres://<masked>",
		"postgres://h/db?user=me&password=pw&a=": "postgres://h/db?user=me&password=<masked>&a=",
		"postgres://h/db?sslPassword=pw;x=y":     "postgres://h/db?sslPassword=<masked>;x=y",
		"postgres://h/db?p%61ssword=pw":          "postgres://h/db?p%61ssword=<masked>",
		"sqlite:data/leat.db":                    "sqlite:data/leat.db",
		"sqlite:leat.db?_key=pw":                 "sqlite:leat.db?_key=<masked>",
		"pw":                                     "<masked>",
		"host=h password=pw":                     "<masked>",
		"mongodb:/me:pw@host":                    "<masked>",
		"me:pw@host":                             "<masked>",
		"\"mongodb://me:pw@host\"":               "<masked>",
	} {
		require.Equal(t, want, secretURI.mask(text), text)
		if want != text && !strings.Contains(text, "\"") {
			require.NotContains(t, secretURI.mask(text), "pw")
		}
	}
}

// TestSecretsAreNeverShown puts a secret into each key that may hold one, through each source, in ways that are right
// and in ways that are wrong, and looks for it in all that the package writes.
func TestSecretsAreNeverShown(t *testing.T) {
	t.Chdir(t.TempDir())
	const secret = "hunter2"
	uses := 0
	for _, l := range walk(new(Config)).leaves {
		for _, value := range secretValues(l, secret) {
			name := l.key[strings.LastIndexByte(l.key, '.')+1:]
			at := l.key[:max(0, len(l.key)-len(name)-1)]
			files := []string{
				fmt.Sprintf("%s: %q\n", l.key, value),
				fmt.Sprintf("%s: %s\n", l.key, value),
				fmt.Sprintf("%s: [%q]\n", l.key, value),
				fmt.Sprintf("%s: {x: %q}\n", l.key, value),
				fmt.Sprintf("%s: &a %s\n", l.key, value),
				fmt.Sprintf("%s: !x %s\n", l.key, value),
				fmt.Sprintf("%s: *%s\n", l.key, value),
				fmt.Sprintf("%s: |\n  %s\n", l.key, value),
				fmt.Sprintf("%s: >-\n  %s\n", l.key, value),
				fmt.Sprintf("%s: \"%s\n", l.key, value),
				fmt.Sprintf("%s: '%s\n", l.key, value),
				fmt.Sprintf("%s: \"\\q%s\"\n", l.key, value),
				fmt.Sprintf("%s: {%s\n", l.key, value),
				fmt.Sprintf("%s: %s: x\n", l.key, value),
				fmt.Sprintf("%s:%s\n", l.key, value),
				fmt.Sprintf("%s:%s\nlog:\n", l.key, value),
				fmt.Sprintf("%s=%s\n", l.key, value),
				fmt.Sprintf("%s=%s: x\n", l.key, value),
				fmt.Sprintf("%s:\n  %s:%s\n", at, name, value),
				fmt.Sprintf("%s: {%s:%s}\n", at, name, value),
				fmt.Sprintf("%s:\n\t%s: %s\n", at, name, value),
				fmt.Sprintf("%s:\n  %s: %s\n %s: x\n", at, name, value, name),
				fmt.Sprintf("%s: %s\n", at, value),
				fmt.Sprintf("%sx: %s\n", l.key, value),
				fmt.Sprintf("%s: x\n%s: %s\n", l.key, l.key, value),
				fmt.Sprintf("%s: %s\x00\n", l.key, value),
				fmt.Sprintf("%s: %s\nlog.level: loud\n", l.key, value),
			}
			for _, text := range files {
				uses++
				requireHidden(t, secret, text, Options{File: write(t, text), Environ: none})
			}
			for _, name := range append(l.env, l.env[0]+"X") {
				for _, more := range []string{"", "\n", "\xff", masked} {
					requireHidden(t, secret, name, Options{Environ: []string{name + "=" + value + more}})
				}
			}
			requireHidden(t, secret, "flag", Options{Environ: none, Flags: flags(t, "--"+l.key, value)})
			requireHidden(t, secret, "flag", Options{Environ: none, Flags: flags(t, "--"+l.key+"="+value+"\n")})
		}
	}
	require.NotZero(t, uses)
}

// secretValues are values of a leaf that hold a secret, right and wrong ones.
func secretValues(l *leaf, secret string) []string {
	switch l.secret {
	case secretWhole:
		return []string{secret, "x " + secret, secret + "#", strings.Repeat(secret, 50)}
	case secretURI:
		return []string{
			"mongodb://u:" + secret + "@h/d", "mongodb://u:x@" + secret + "@h/d", "mongodb://h/d?authMechanismProperties=AWS_SESSION_TOKEN:" + secret,
			"postgres://u:x/" + secret + "@h/d", "postgres://h/d?password=" + secret, "mysql://u:" + secret + "@h", secret,
			"host=h password=" + secret, "u:" + secret + "@h",
		}
	default:
		return nil
	}
}

func requireHidden(t *testing.T, secret, what string, options Options) {
	t.Helper()
	cfg, report, err := Load(options)
	var b bytes.Buffer
	if err != nil {
		b.WriteString(err.Error())
		fmt.Fprintf(&b, "%+v %#v", err, problemsOf(t, err))
	} else {
		require.NoError(t, report.Print(&b))
		fmt.Fprintf(&b, "%v %+v %#v %s", cfg, *cfg, *cfg, cfg)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("loaded", "config", cfg)
		slog.New(slog.NewTextHandler(&b, nil)).Info("loaded", "config", *cfg)
	}
	require.NotContains(t, b.String(), secret, "%q", what)
}
