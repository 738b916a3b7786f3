// Package pkg_test holds the packages to the layout of the house.
package pkg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/crashcheck/crashcheck"

// mayImport tells for each package which siblings it sees. There is one way through the house, and imports run only that way.
var mayImport = map[string][]string{
	"pkg/config":     nil,
	"pkg/checker":    nil,
	"pkg/kube":       {"pkg/checker"}, // for the pods that a PodLister lists
	"pkg/typed":      {"pkg/checker"},
	"pkg/runner":     {"pkg/checker"},
	"pkg/report":     {"pkg/checker", "pkg/runner"},
	"cmd/crashcheck": {"pkg/config", "pkg/kube", "pkg/checker", "pkg/runner", "pkg/report"},
}

// onlyInCommand are what only the command touches: the environment, the standard streams, the end of the process.
var onlyInCommand = []string{"os.Exit", "os.Getenv", "os.LookupEnv", "os.Environ", "os.Stdout", "os.Stderr", "os.Stdin", "os.Args"}

func TestImportsRunOneWayAndOnlyTheCommandTouchesTheProcess(t *testing.T) {
	files := map[string]int{} // by package
	for _, root := range []string{"../pkg", "../cmd"} {
		err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			dir := strings.TrimPrefix(path.Dir(filepath.ToSlash(name)), "../")
			files[dir]++
			examine(t, name, dir)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for dir := range mayImport {
		if files[dir] == 0 {
			t.Errorf("%s has no files: does this test look in the right place?", dir)
		}
	}
}

func examine(t *testing.T, name, dir string) {
	t.Helper()
	allowed, known := mayImport[dir]
	if !known {
		t.Errorf("%s: package %s has no place in the house", name, dir)
		return
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if sibling, ours := strings.CutPrefix(imported, module+"/"); ours && !slices.Contains(allowed, sibling) {
			t.Errorf("%s imports %s: %s may see only %q", name, sibling, dir, allowed)
		}
	}
	if strings.HasPrefix(dir, "cmd/") {
		return
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && slices.Contains(onlyInCommand, x.Name+"."+selector.Sel.Name) {
				t.Errorf("%s uses %s.%s: only the command may", name, x.Name, selector.Sel.Name)
			}
		}
		return true
	})
}
