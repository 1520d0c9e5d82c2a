package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// module is this program's name in import paths.
const module = "datfs"

// drawing says which of our packages each may import. It is the picture in
// ARCHITECTURE.md: everything points down. The benchmarks and the tests from
// outside stand beside it and nothing imports them.
var drawing = map[string][]string{
	".": {"cli"},
	"cli": {
		"fs", "dbback", "dbback/iris", "dbback/iris/restore", "dbback/iris/session", "dbback/gtm", "dbback/practice", "catalog",
	},
	"fs":         {"catalog"},
	"dbback":     {"catalog"},
	"dbback/gtm": {"dbback", "catalog"},
	"catalog":    {"catalog/pack"},

	// The backup and the restores of InterSystems stand beside each other.
	"dbback/iris":                 {"dbback/iris/session", "dbback", "catalog"},
	"dbback/iris/restore":         {"dbback/iris/session", "dbback", "catalog"},
	"dbback/iris/session":         nil,
	"dbback/iris/internal/played": nil,

	// The practice instance knows nothing of datfs: it is what datfs talks to.
	"dbback/practice":         {"dbback/practice/cos", "dbback/practice/storage"},
	"dbback/practice/cos":     nil,
	"dbback/practice/storage": nil,

	"catalog/pack":  nil,
	"bench":         {"dbback", "catalog"},
	"bench/gendat":  {"bench"},
	"bench/measure": nil,
	"integration":   {"cli", "dbback", "dbback/iris/restore", "dbback/practice", "dbback/practice/storage", "catalog", "bench"},
}

// forTests says which of our packages only the tests of each may import, beside
// those of the drawing: what is restored there was backed up.
var forTests = map[string][]string{
	"dbback/iris":         {"dbback/iris/internal/played"},
	"dbback/iris/restore": {"dbback/iris/internal/played", "dbback/iris"},
}

// doors says which of our packages may import a module of somebody else's, so
// that it can be replaced in one place. A module that is not here is refused: a
// new dependency is a decision.
var doors = map[string][]string{
	"github.com/hanwen/go-fuse":       {"fs"},
	"github.com/urfave/cli":           {"cli"},
	"go.etcd.io/bbolt":                {"catalog"},
	"github.com/cespare/xxhash":       {"catalog/pack"},
	"github.com/zeebo/blake3":         {"catalog/pack"},
	"github.com/klauspost/compress":   {"catalog/pack", "bench"}, // bench measures against it
	"github.com/hashicorp/golang-lru": {"catalog"},
	"github.com/schollz/progressbar":  {"cli"},
	"github.com/jedib0t/go-pretty":    {"cli"},
	"github.com/dustin/go-humanize":   {"cli", "bench/gendat"},
	"github.com/bmatcuk/doublestar":   {"cli", "dbback"},
	"github.com/rogpeppe/go-internal": {"cli", "integration"}, // scripts as tests
	"golang.org/x/term":               {"cli"},
	"golang.org/x/sync":               {"cli", "fs", "dbback", "catalog", "integration"},
	"golang.org/x/time":               {"dbback"},
	"golang.org/x/sys":                {"cli", "fs", "dbback", "catalog", "integration"},
}

// checkImport returns why package from (relative to the module) must not import
// path, or "".
func checkImport(from, path string) string {
	if path == module || strings.HasPrefix(path, module+"/") {
		to := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
		if to != from && !slices.Contains(drawing[from], to) {
			return "is not below it in the drawing"
		}
		return ""
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // standard library
	}
	for mod, users := range doors {
		if path == mod || strings.HasPrefix(path, mod+"/") {
			if slices.Contains(users, from) {
				return ""
			}
			return "only " + strings.Join(users, " and ") + " may"
		}
	}
	return "is a dependency that doors does not list"
}

// TestImports holds the drawing, tests included.
func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	seen := 0
	for dec := json.NewDecoder(bytes.NewReader(out)); ; seen++ {
		var p struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := "."
		if p.ImportPath != module {
			from = strings.TrimPrefix(p.ImportPath, module+"/")
		}
		if _, ok := drawing[from]; !ok {
			t.Errorf("package %s is not in the drawing", from)
		}
		tests := slices.DeleteFunc(slices.Concat(p.TestImports, p.XTestImports), func(path string) bool {
			return slices.Contains(forTests[from], strings.TrimPrefix(path, module+"/"))
		})
		for _, path := range slices.Concat(p.Imports, tests) {
			if why := checkImport(from, path); why != "" {
				t.Errorf("%s imports %s: %s", from, path, why)
			}
		}
	}
	if seen < 2 {
		t.Errorf("go list named %d packages", seen)
	}
}

// The rules themselves, on imports that must and must not pass.
func TestCheckImport(t *testing.T) {
	tests := []struct {
		from, path string
		ok         bool
	}{
		{"fs", "io", true},
		{"fs", "datfs/catalog", true},
		{"fs", "datfs/catalog/pack", false},
		{"fs", "datfs/dbback", false},
		{"catalog", "datfs/fs", false},
		{"catalog", "datfs/catalog", true}, // an external test package
		{"cli", "datfs/bench", false},
		{"fs", "github.com/hanwen/go-fuse/v2/fuse", true},
		{"integration", "github.com/hanwen/go-fuse/v2/fuse", false},
		{"catalog", "github.com/klauspost/compress/zstd", false},
		{"catalog/pack", "github.com/klauspost/compress/zstd", true},
		{"catalog", "github.com/cespare/xxhash/v2", false},
		{"catalog", "example.com/new", false},
	}
	for _, tt := range tests {
		if why := checkImport(tt.from, tt.path); (why == "") != tt.ok {
			t.Errorf("%s imports %s: %q, want ok = %v", tt.from, tt.path, why, tt.ok)
		}
	}
}

// sources calls visit for every file of ours with one of these endings.
func sources(t *testing.T, visit func(path string, text []byte), endings ...string) {
	t.Helper()
	found := false
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == ".git" || name == "bin" || name == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(path, e) }) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil {
			found = true
			visit(path, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !found {
		t.Fatalf("no %v file found", endings)
	}
}

// maxLines keeps a file to what can be read in one go.
const maxLines = 400

func TestFileLength(t *testing.T) {
	sources(t, func(path string, text []byte) {
		if n := bytes.Count(text, []byte("\n")); n > maxLines && !strings.HasSuffix(path, "_test.go") {
			t.Errorf("%s has %d lines, more than %d", path, n, maxLines)
		}
	}, ".go")
}

// TestFolders holds the top level to the parts of the drawing.
func TestFolders(t *testing.T) {
	allowed := make(map[string]bool)
	for name := range drawing {
		top, _, _ := strings.Cut(name, "/")
		allowed[top] = true
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() && !allowed[name] && !strings.HasPrefix(name, ".") && name != "bin" {
			t.Errorf("folder %s is not one of ours", name)
		}
	}
}

// leftover matches the marks of unfinished work, written so as not to match here.
var leftover = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

func TestLeftovers(t *testing.T) {
	sources(t, func(path string, text []byte) {
		for i, line := range bytes.Split(text, []byte("\n")) {
			if leftover.Match(line) {
				t.Errorf("%s:%d: %s", path, i+1, bytes.TrimSpace(line))
			}
		}
	}, ".go", ".md", ".sh", ".yml", "Makefile")
}

// synonyms are what other programs call our things. One word has one meaning
// here: a set is never a snapshot, a block never a chunk. (An archive is that of
// journals, see catalog/doc.go, and neither a set nor a repository.)
var synonyms = regexp.MustCompile(`(?i)chunk|snapshot|blob|vault`)

// TestWords keeps synonyms out of exported names; texts may need them to
// compare.
func TestWords(t *testing.T) {
	sources(t, func(path string, text []byte) {
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Error(err)
			return
		}
		for _, name := range exported(file) {
			if synonyms.MatchString(name) {
				t.Errorf("%s: %s is not one of our words", path, name)
			}
		}
	}, ".go")
}

// exported returns the exported names that a file declares, fields and methods
// included.
func exported(file *ast.File) []string {
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		var names []*ast.Ident
		switch n := n.(type) {
		case *ast.FuncDecl:
			names = []*ast.Ident{n.Name}
		case *ast.TypeSpec:
			names = []*ast.Ident{n.Name}
		case *ast.ValueSpec:
			names = n.Names
		case *ast.Field:
			names = n.Names
		}
		for _, id := range names {
			if id.IsExported() {
				out = append(out, id.Name)
			}
		}
		return true
	})
	return out
}
