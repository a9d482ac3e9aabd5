package audit

import (
	"strings"
	"testing"
)

func TestNameProblem(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Monatsbericht für Zoë 📄": "", strings.Repeat("n", 128): "",
		"": "must not be empty", " \u00a0": "must not be empty",
		strings.Repeat("ü", 65): "is 130 bytes long, of at most 128",
		"a\xffb":                "is not valid UTF-8",
		"a\x1b[31m":             "contains a control character",
	} {
		if got := NameProblem(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
