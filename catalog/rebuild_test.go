package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"datfs/catalog/pack"
)

// TestRebuild loses catalog.db: everything can still be read, a backup says
// what to do, and after Rebuild blocks are found again.
func TestRebuild(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	if err := initialize(dir, pack.Key{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	r := openRepo(t, dir)
	r.packSize = 1 << 20
	f := testFile{"/a", 8192, blocks(3000, 8192, 1)}
	info := storeSet(t, r, "PROD", f)
	before := packRecords(t, r)
	if len(before) < 3 {
		t.Fatalf("%d packs: too few to test anything", len(before))
	}
	if err := os.Remove(filepath.Join(dir, catalogName)); err != nil {
		t.Fatal(err)
	}

	readBack(t, r, info.SetName(), f)
	if _, err := r.Resolve("PROD/latest"); err != nil {
		t.Error(err)
	}
	if _, err := r.Begin(BeginOptions{Instance: "PROD"}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("backup without a catalog: %v, want %v", err, ErrCorrupt)
	}
	if err := r.Rebuild(t.Context(), nil); !errors.Is(err, ErrLocked) {
		t.Errorf("rebuild of a repository open for sharing: %v, want %v", err, ErrLocked)
	}
	if _, err := Open(dir, Exclusive); !errors.Is(err, ErrLocked) {
		t.Errorf("exclusive beside a reader: %v, want %v", err, ErrLocked)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	rebuild(t, dir)
	r = openRepo(t, dir)
	after := packRecords(t, r)
	for id, rec := range before {
		if got := after[id]; got.size != rec.size || got.raw != rec.raw || got.ordinals != rec.ordinals || got.present != rec.present {
			t.Errorf("pack %s: %+v after the rebuild, want %+v", id, got, rec)
		}
	}
	again := storeSet(t, r, "OTHER", testFile{"/b", 8192, f.data}) // by hooks alone
	if again.NewBytes > 1000*8192 {
		t.Errorf("%d new bytes after the rebuild", again.NewBytes)
	}
	checkClean(t, dir)
}

func packRecords(tb testing.TB, r *Repository) map[string]packRecord {
	tb.Helper()
	out := map[string]packRecord{}
	err := r.db.view(func(t txn) error {
		return t.eachPack(func(id pack.ID, rec packRecord) error {
			out[id.String()] = rec
			return nil
		})
	})
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// rebuild rebuilds the catalog of a repository that nobody has open.
func rebuild(tb testing.TB, dir string) {
	tb.Helper()
	r, err := Open(dir, Exclusive)
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(r.Rebuild(tb.Context(), nil), r.Close()); err != nil {
		tb.Fatal(err)
	}
}
