package catalog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerify damages a frame, a directory, a whole pack, a set file and the
// catalog, and expects Verify to tell where the damage is and which files have
// lost blocks by it.
func TestVerify(t *testing.T) {
	const bs = 8192
	files := []testFile{{"/a", bs, blocks(300, bs, 1)}, {"/b", bs, blocks(300, bs, 2)}, {"/zero", bs, make([]byte, 10*bs)}}
	tests := []struct {
		name   string
		damage func(t *testing.T, packFile, setFile, catalogFile string)
		want   []string // each is in one report, in any order
		files  []string // that have lost something
	}{
		{"Nothing", func(*testing.T, string, string, string) {}, nil, nil},
		{"FirstFrame", func(t *testing.T, p, _, _ string) { t.Helper(); flip(t, p, 100) }, []string{"packs/", "frame sum mismatch"}, []string{"/a"}},
		{"Directory", func(t *testing.T, p, _, _ string) { t.Helper(); flip(t, p, size(t, p)-150) }, []string{"packs/"}, []string{"/a", "/b"}},
		{"Footer", func(t *testing.T, p, _, _ string) { t.Helper(); flip(t, p, size(t, p)-30) }, []string{"footer sum mismatch"}, []string{"/a", "/b"}},
		{"PackMissing", func(t *testing.T, p, _, _ string) {
			t.Helper()
			if err := os.Remove(p); err != nil {
				t.Fatal(err)
			}
		}, []string{"the pack is missing"}, []string{"/a", "/b"}},
		{"PackTruncated", func(t *testing.T, p, _, _ string) {
			t.Helper()
			if err := os.Chmod(p, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(p, size(t, p)/2); err != nil {
				t.Fatal(err)
			}
		}, []string{"footer magic"}, []string{"/a", "/b"}},
		{"SetFile", func(t *testing.T, _, s, _ string) { t.Helper(); flip(t, s, size(t, s)-100) }, []string{"sets/PROD/"}, nil},
		{"Config", func(t *testing.T, _, _, c string) {
			t.Helper()
			flip(t, filepath.Join(filepath.Dir(c), configName), 30)
		}, []string{"config at"}, nil},
		{"Catalog", func(t *testing.T, _, _, c string) { t.Helper(); flip(t, c, 4096*2+5) }, []string{"catalog.db"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "repo")
			if err := Init(dir); err != nil {
				t.Fatal(err)
			}
			r := openRepo(t, dir)
			info := storeSet(t, r, "PROD", files...)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			packs, err := filepath.Glob(filepath.Join(dir, "packs/*/*.pack"))
			if err != nil || len(packs) != 1 {
				t.Fatalf("packs = %v, %v", packs, err)
			}
			tt.damage(t, packs[0], filepath.Join(dir, setsName, info.Instance, info.Name+sealedSuffix), filepath.Join(dir, catalogName))
			checkDamage(t, openRepo(t, dir), tt.want, tt.files)
		})
	}
}

func checkDamage(t *testing.T, r *Repository, want, files []string) {
	t.Helper()
	var texts, lost []string
	err := r.Verify(context.Background(), VerifyOptions{}, func(d Damage) {
		if d.Path != "" {
			lost = append(lost, d.Path)
		}
		if !errors.Is(d.Err, ErrCorrupt) {
			t.Errorf("%v is not %v", d.Err, ErrCorrupt)
		}
		texts = append(texts, d.Err.Error())
	})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(texts, "\n")
	for _, w := range want {
		if !strings.Contains(all, w) {
			t.Errorf("no report has %q:\n%s", w, all)
		}
	}
	if want == nil && all != "" {
		t.Errorf("reports of a sound repository:\n%s", all)
	}
	if strings.Join(lost, " ") != strings.Join(files, " ") {
		t.Errorf("files that lost blocks = %v, want %v\n%s", lost, files, all)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// flip inverts a byte of a file.
func flip(t *testing.T, path string, off int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[off] ^= 0xff
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, b, 0o600)); err != nil {
		t.Fatal(err)
	}
}
