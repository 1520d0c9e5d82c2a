package catalog

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPackMovedAway is the way out of damage that the README gives: the damaged
// pack is moved away, the catalog rebuilt, and the next backup stores anew what
// the pack held.
func TestPackMovedAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	r := openRepo(t, dir)
	r.packSize = 1 << 20
	f := testFile{"/a", 8192, blocks(2000, 8192, 1)}
	first := storeSet(t, r, "PROD", f)
	packs, err := filepath.Glob(filepath.Join(dir, "packs/*/*.pack"))
	if err != nil || len(packs) < 3 {
		t.Fatalf("packs = %v, %v", packs, err)
	}
	if err := os.Remove(packs[0]); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	rebuild(t, dir)

	r = openRepo(t, dir)
	second := storeSet(t, r, "PROD", f)
	if second.NewBytes == 0 || second.NewBytes > int64(len(f.data))/2 {
		t.Errorf("%d new bytes of %d", second.NewBytes, len(f.data))
	}
	readBack(t, r, second.SetName(), f)
	damaged := map[SetName]bool{}
	err = r.Verify(t.Context(), VerifyOptions{}, func(d Damage) { damaged[d.Set] = true })
	if err != nil {
		t.Fatal(err)
	}
	if !damaged[first.SetName()] || damaged[second.SetName()] {
		t.Errorf("damaged sets = %v, want the first only", damaged)
	}
}
