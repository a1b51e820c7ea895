package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// print writes the table, its footnotes, the servers, and what failed.
func (t *table) print(to io.Writer) error {
	notes := &footnotes{}
	grid := [][]string{{"property"}}
	for _, column := range t.columns {
		grid[0] = append(grid[0], column.name)
	}
	for _, row := range t.rows {
		line := []string{row}
		for _, column := range t.columns {
			line = append(line, notes.mark(column.cells[row]))
		}
		grid = append(grid, line)
	}
	var b strings.Builder
	align(&b, grid)
	for i, note := range notes.texts {
		fmt.Fprintf(&b, "%s[%d] %s\n", lead(i), i+1, note)
	}
	first := true
	for _, column := range t.columns {
		if column.server != "" {
			if first {
				b.WriteByte('\n')
			}
			first = false
			fmt.Fprintf(&b, "%s: %s\n", column.name, column.server)
		}
	}
	for _, failed := range t.failures {
		fmt.Fprintf(&b, "\nFAIL: %s", failed)
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// lead puts an empty line before the first of a list.
func lead(i int) string {
	if i == 0 {
		return "\n"
	}
	return ""
}

// footnotes are numbered by their first use; the same text has one number.
type footnotes struct{ texts []string }

// mark returns the cell as it is printed.
func (f *footnotes) mark(c cell) string {
	if c.state == "" {
		return none
	}
	if c.note == "" {
		return c.state
	}
	for i, text := range f.texts {
		if text == c.note {
			return fmt.Sprintf("%s [%d]", c.state, i+1)
		}
	}
	f.texts = append(f.texts, c.note)
	return fmt.Sprintf("%s [%d]", c.state, len(f.texts))
}

// align writes lines with columns of equal width; the first line is a heading.
func align(b *strings.Builder, grid [][]string) {
	widths := make([]int, len(grid[0]))
	for _, line := range grid {
		for i, text := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	for n, line := range grid {
		for i, text := range line {
			if i > 0 {
				b.WriteString("  ")
			}
			b.WriteString(text)
			if i < len(line)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)))
			}
		}
		b.WriteByte('\n')
		if n == 0 {
			total := 2 * (len(widths) - 1)
			for _, width := range widths {
				total += width
			}
			b.WriteString(strings.Repeat("-", total) + "\n")
		}
	}
}
