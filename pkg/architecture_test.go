// Package pkg_test checks that the code follows the project's architecture.
package pkg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/crashcheck/crashcheck"

// mayImport lists the siblings that each package may import.
var mayImport = map[string][]string{
	"pkg/config":     nil,
	"pkg/kube":       nil,
	"pkg/checker":    nil,
	"pkg/runner":     {"pkg/checker"},
	"pkg/report":     {"pkg/checker", "pkg/runner"},
	"cmd/crashcheck": {"pkg/config", "pkg/kube", "pkg/checker", "pkg/runner", "pkg/report"},
}

// onlyInCommand is the process state that only the command may use: environment, standard streams, exit.
var onlyInCommand = []string{"os.Exit", "os.Getenv", "os.LookupEnv", "os.Environ", "os.Stdout", "os.Stderr", "os.Stdin", "os.Args"}

func TestPackagesImportOnlyTheirSiblingsAndOnlyTheCommandUsesTheProcess(t *testing.T) {
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
			t.Errorf("%s has no files", dir)
		}
	}
}

func examine(t *testing.T, name, dir string) {
	t.Helper()
	allowed, known := mayImport[dir]
	if !known {
		t.Errorf("%s: the architecture has no package %s", name, dir)
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
			t.Errorf("%s imports %s: %s may import only %q", name, sibling, dir, allowed)
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

// mayRequire are the modules that the product and its unit tests need. Users who import a package of the product inherit
// them; packages that only suites need belong in a separate module below test.
var mayRequire = []string{
	"github.com/caarlos0/env/v10",
	"github.com/creack/pty",           // tests on a terminal
	"github.com/go-logr/logr",         // the type of klog's logger
	"github.com/lmittmann/tint",       // the log
	"github.com/rogpeppe/go-internal", // testscript
	"golang.org/x/sys",                // tests
	"golang.org/x/term",
	"google.golang.org/protobuf", // protowire
	"k8s.io/api",
	"k8s.io/apimachinery",
	"k8s.io/client-go",
	"k8s.io/klog/v2",
	"pgregory.net/rapid", // property tests
	"sigs.k8s.io/json",   // the API server's decoder
}

func TestTheModuleRequiresOnlyWhatTheProductNeeds(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for line := range strings.Lines(string(text)) {
		required, indented := strings.CutPrefix(line, "\t")
		if !indented || strings.Contains(required, "// indirect") {
			continue
		}
		direct++
		if name, _, _ := strings.Cut(required, " "); !slices.Contains(mayRequire, name) {
			t.Errorf("go.mod requires %s", name)
		}
	}
	if direct == 0 {
		t.Error("go.mod has no requirements that this test understands")
	}
}
