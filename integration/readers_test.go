package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"datfs/bench"
)

// TestMemory_Mount reads many sets of a database at the same time, of which
// each has a part of its blocks in another set's packs, and looks at the most
// memory that the mount ever had.
func TestMemory_Mount(t *testing.T) {
	needFUSE(t)
	repo := newRepository(t)
	db := filepath.Join(t.TempDir(), "IRIS.DAT")
	if err := bench.WriteDatabase(db, bench.Options{Bytes: 192 << 20, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(6) {
		mustDatfs(t, "--repo", repo, "backup", "files", "--name", "PROD", db)
		if _, err := bench.ChangeBlocks(db, 0.15, i+2); err != nil {
			t.Fatal(err)
		}
	}
	mnt := mount(t, repo)
	files, err := filepath.Glob(filepath.Join(mnt, "sets/PROD/*/databases", db))
	if err != nil || len(files) != 6 {
		t.Fatalf("files = %v, %v", files, err)
	}
	var readers sync.WaitGroup
	for _, f := range append(files, files...) {
		readers.Go(func() {
			out, err := exec.Command("sh", "-c", `cat "$1" | wc -c`, "sh", f).CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != fmt.Sprint(192<<20) {
				t.Errorf("read %s bytes of %s: %v", out, f, err)
			}
		})
	}
	readers.Wait()
	kib := highWater(t, mnt)
	t.Logf("the mount had at most %d MiB", kib>>10)
	if !strings.Contains(os.Getenv("DATFS_BUILD_FLAGS"), "-race") && kib > maxRSS {
		t.Errorf("the mount took %d MiB of memory", kib>>10)
	}
}

// highWater returns the most resident memory that the process ever had that
// serves a mount, in KiB.
func highWater(t *testing.T, mnt string) int64 {
	t.Helper()
	cmdlines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cmdlines {
		args, err := os.ReadFile(c)
		if err != nil || !strings.Contains(string(args), "\x00mount\x00") || !strings.HasSuffix(string(args), "\x00"+mnt+"\x00") {
			continue // processes come and go
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(c), "status"))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return kib
	}
	t.Fatal("no process serves the mount")
	return 0
}
