package command

import (
	"bufio"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// table is aligned text for people. What is wide on a terminal, such as Chinese
// or an emoji, counts as wide.
type table struct {
	env    *Env
	rows   [][]string
	widths []int
}

func (env *Env) table(head ...string) *table {
	t := &table{env: env}
	t.row(head...)
	return t
}

func (t *table) row(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		if row[i] = printable(cell); cell == "" {
			row[i] = "-"
		}
		if i == len(t.widths) {
			t.widths = append(t.widths, 0)
		}
		t.widths[i] = max(t.widths[i], uniseg.StringWidth(row[i]))
	}
	t.rows = append(t.rows, row)
}

// print writes the rows, without spaces at their ends.
func (t *table) print() error {
	const gap = 2
	w := bufio.NewWriter(t.env.Stdout)
	for _, row := range t.rows {
		for i, cell := range row {
			w.WriteString(cell)
			if i < len(row)-1 {
				w.WriteString(strings.Repeat(" ", t.widths[i]-uniseg.StringWidth(cell)+gap))
			}
		}
		w.WriteByte('\n')
	}
	return w.Flush()
}

// printable replaces what a terminal would take for a command: text may come
// from anywhere.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
