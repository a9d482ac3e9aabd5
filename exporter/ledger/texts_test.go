package ledger

import (
	"fmt"
	"hash/maphash"
	"strings"
	"testing"

	"licensekit/exporter/report"
)

// A column is called clean where all of its texts are, whatever its form, and
// not where a single one is otherwise.
func TestCleanColumns(t *testing.T) {
	const rows, odd = 2000, 1234
	for form, text := range []func(i int) string{
		textConstant: func(int) string { return "customer" },
		textFixed:    func(i int) string { return fmt.Sprintf("evt-%06d", i) },
		textPlain:    func(i int) string { return fmt.Sprint("evt-", i) },
		textCoded1:   func(i int) string { return fmt.Sprint("customer-", i%70) },
		textCoded2:   func(i int) string { return fmt.Sprint("customer-", i%400) },
	} {
		for was, spoil := range map[string]func(text string) string{
			"as it is":     func(text string) string { return text },
			"a dash first": func(text string) string { return "-" + text[1:] },
			"a space":      func(text string) string { return text[:3] + " " + text[4:] },
			"a backslash":  func(text string) string { return text[:len(text)-1] + `\` },
			"half a rune":  func(text string) string { return text[:len(text)-1] + "\xe9" },
			"absent":       func(string) string { return "" },
			"longest":      func(text string) string { return text + strings.Repeat("x", report.CleanSize-len(text)) },
			"too long":     func(text string) string { return text + strings.Repeat("x", report.CleanSize+1-len(text)) },
		} {
			want := was == "as it is" || was == "longest"
			resized := was == "absent" || was == "longest" || was == "too long"
			c := textColumn(t, rows, func(i int) string {
				if i == odd || form == textConstant || form == textFixed && resized {
					return spoil(text(i))
				}
				return text(i)
			})
			if form == textFixed && was == "absent" { // they all are, so it is a constant
				continue
			}
			if got := c.isClean(); got != want || int(c.form) != form {
				t.Errorf("form %d, %s: got clean %t in form %d, want %t", form, was, got, c.form, want)
			}
		}
	}
}

// textColumn encodes and opens a column of so many texts.
func textColumn(t *testing.T, count int, text func(i int) string) texts {
	t.Helper()
	activities := make([]report.Activity, count)
	for i := range activities {
		activities[i].Text[report.FieldID] = text(i)
	}
	d := dictionary{seed: maphash.MakeSeed()}
	c, err := openTexts(d.appendTexts(nil, storedRows(activities), report.FieldID), count)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
