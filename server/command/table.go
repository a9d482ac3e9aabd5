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
	right  map[int]bool // columns whose cells stand at their right end, as numbers do
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
	var line strings.Builder
	for _, row := range t.rows {
		line.Reset()
		for i, cell := range row {
			room := strings.Repeat(" ", t.widths[i]-uniseg.StringWidth(cell))
			switch {
			case t.right[i]:
				cell = room + cell
			case i < len(row)-1:
				cell += room
			}
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", gap))
			}
		}
		w.WriteString(strings.TrimRight(line.String(), " "))
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
