package command

import (
	"strings"
	"testing"
)

// Columns stand under one another on a terminal, where some runes are two cells
// wide and others none.
func TestTableAlignsWideText(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	table := (&Env{Stdout: &out}).table("ID", "NAME", "STATE")
	table.row("1", "株式会社", "a")
	table.row("2", "🚀 e\u0301", "b")
	table.row("3", "", "c")
	table.row("4", "\x1b[2Jx\ty\n", "d")
	if err := table.print(); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"ID  NAME      STATE",
		"1   株式会社  a",
		"2   🚀 e\u0301      b",
		"3   -         c",
		"4   \ufffd[2Jx\ufffdy\ufffd  d",
		"",
	}, "\n")
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestTableAlignsNumbersRight(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	table := (&Env{Stdout: &out}).table("id", "amount", "name", "n")
	table.right = map[int]bool{1: true, 3: true}
	table.row("a", "9007199254740991", "x", "1")
	table.row("b", "-3", "東京", "")
	table.row("TOTAL", "5", " ", " ")
	if err := table.print(); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"id               amount  name  n",
		"a      9007199254740991  x     1",
		"b                    -3  東京  -",
		"TOTAL                 5",
		"",
	}, "\n")
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}
