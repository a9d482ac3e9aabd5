package exporter

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Whoever stores sealed values in a bucket, in whichever package, has a check
// read them.
func TestAllSealedBucketsAreChecked(t *testing.T) {
	t.Parallel()
	names, used := map[string]string{}, map[string]bool{} // by directory and identifier
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.ValueSpec:
				for i, value := range n.Values {
					if text, ok := value.(*ast.BasicLit); ok && i < len(n.Names) {
						names[filepath.Dir(path)+" "+n.Names[i].Name], _ = strconv.Unquote(text.Value)
					}
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Put" && len(n.Args) == 4 {
					if of, ok := f.X.(*ast.Ident); ok && of.Name == "sealed" {
						bucket, ok := n.Args[1].(*ast.Ident)
						if !ok {
							t.Errorf("%s: sealed.Put takes its bucket from %T, want a constant", path, n.Args[1])
							return true
						}
						used[filepath.Dir(path)+" "+bucket.Name] = true
					}
				}
			}
			return true
		})
		return nil
	})
	if err != nil || len(used) < 10 {
		t.Fatalf("got %d buckets, %v; want ten at least", len(used), err)
	}
	for identifier := range used {
		if name := names[identifier]; !slices.Contains(sealedBuckets, name) {
			t.Errorf("bucket %q (%s) holds sealed values and is not in sealedBuckets", name, identifier)
		}
	}
}
