package integration

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"datfs/bench"
)

// What goes in comes out of the mount by rsync, byte for byte, as soon as a set
// is there.
func TestRoundTrip(t *testing.T) {
	needFUSE(t)
	needTool(t, "rsync")
	needTool(t, "xxhsum")
	repo := newRepository(t)
	db := filepath.Join(t.TempDir(), "IRIS.DAT")
	if err := bench.WriteDatabase(db, bench.Options{Bytes: 8 << 20, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	backup := func() { mustDatfs(t, "--repo", repo, "backup", "files", "--name", "PROD", db) }
	backup()
	mnt := mount(t, repo)
	compare := func() {
		t.Helper()
		out := t.TempDir()
		mustRun(t, "rsync", "-aHAX", "--inplace", filepath.Join(mnt, "latest/PROD/databases")+"/", out)
		mustRun(t, "cmp", db, filepath.Join(out, db))
	}
	compare()

	// The mount shows the new set within a moment, without being mounted again.
	latest := filepath.Join(mnt, "latest/PROD")
	old := readlink(t, latest)
	if _, err := bench.ChangeBlocks(db, 0.05, 2); err != nil {
		t.Fatal(err)
	}
	backup()
	for deadline := time.Now().Add(patience); readlink(t, latest) == old; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("latest is still %s", old)
		}
	}
	compare()
	mustRun(t, "sh", "-c", `cd "$1" && xxhsum -c SUMS.xxh64`, "sh", latest)
}

func readlink(t *testing.T, path string) string {
	t.Helper()
	to, err := os.Readlink(path)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func TestVersion(t *testing.T) {
	r := datfs(t, "--version")
	if r.code != 0 || r.stdout == "" || r.stderr != "" {
		t.Errorf("datfs --version: %+v", r)
	}
}
