package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// Each module that is needed directly says in go.mod what for.
func TestModulesSayWhatFor(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "go.mod")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse(path, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Require {
		if r.Indirect {
			continue
		}
		if len(r.Syntax.Suffix) != 1 || len(strings.TrimSpace(strings.TrimPrefix(r.Syntax.Suffix[0].Token, "//"))) < 4 {
			t.Errorf("%s stands in go.mod without a word on what it is for", r.Mod)
		}
	}
}
