package pattern

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// rows reads a table of testdata; where it comes from is in testdata/SOURCE.txt.
func rows(t *testing.T, name string) (rows [][]string) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	for line := range strings.Lines(string(raw)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	require.NotEmpty(t, rows)
	return rows
}

func TestRealDomains(t *testing.T) {
	table := rows(t, "domains.tsv")
	index := map[string]int{}
	var categories []Category
	for _, row := range table {
		i, ok := index[row[0]]
		if !ok {
			i = len(categories)
			index[row[0]] = i
			categories = append(categories, Category{Name: row[0]})
		}
		categories[i].Domains = append(categories[i].Domains, row[1])
	}
	set := compile(t, categories...)
	for _, row := range table {
		domain := row[1]
		for _, url := range []string{domain, "https://" + domain, "http://www." + strings.ToUpper(domain) + ":8080/a?b#c", "//u:p@a.b." + domain + "./"} {
			m, ok := set.Match("Google Chrome", "", url)
			require.True(t, ok, url)
			require.Equal(t, Match{index[row[0]], Domain, domain}, m, url)
		}
		for _, url := range []string{"https://zz" + domain, "https://" + domain + ".zz", "https://zz.zz/" + domain, "https://zz.zz/?" + domain} {
			m, ok := set.Match("", "", url)
			require.True(t, !ok || m.Pattern != domain, "%s matched %+v", url, m)
		}
	}
}

func TestRealApps(t *testing.T) {
	for _, row := range rows(t, "apps.tsv") {
		id, name, korean := row[0], row[1], row[2]
		for _, n := range []string{name, korean} {
			if n == "" {
				continue
			}
			set := compile(t, Category{Apps: []string{n}})
			for _, app := range []string{n, strings.ToUpper(n), n + " 16.3", n + ".exe", n + " - Untitled"} {
				require.Equal(t, n, decide(set, app, "", ""), app)
			}
			if last, _ := utf8.DecodeLastRuneInString(n); wordRune(last) {
				require.Empty(t, decide(set, n+"zz 1", "", ""), "%szz 1", n)
			}
			require.Empty(t, decide(set, "zz"+n, "", ""))
		}
		set := compile(t, Category{Apps: []string{id}})
		require.Equal(t, id, decide(set, strings.TrimSuffix(id, ".desktop"), "", ""), id)
		require.Equal(t, id, decide(set, "/usr/share/applications/"+id, "", ""), id)
	}
}
