package integration

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestKill_Restore kills restores over an older file with SIGKILL at random
// moments. Without a marker beside it the file is whole, the old or the new one;
// a repetition finishes what was cut off.
func TestKill_Restore(t *testing.T) {
	repo := newRepository(t)
	db := filepath.Join(t.TempDir(), "data.bin")
	noise(t, db, 120, 1)
	mustDatfs(t, "--repo", repo, "backup", "files", "--name", "PROD", db)
	fresh := sum(t, db)
	to := t.TempDir()
	target := filepath.Join(to, db)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	cut := 0
	for i := range kills(t) {
		noise(t, target, 120, byte(i+100))
		old := sum(t, target)
		cmd := command(t, "--repo", repo, "restore", "PROD/latest", "--to", to)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// From when it has begun to write, if the kill is to be in the middle.
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if _, err := os.Stat(target + ".datfs-partial"); err == nil {
				break
			}
		}
		time.Sleep(rand.N(150 * time.Millisecond))
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()

		got := sum(t, target)
		if _, err := os.Stat(target + ".datfs-partial"); err == nil {
			cut++
		} else if got != old && got != fresh {
			t.Error("a mixture of old and new without a marker")
		}
		mustDatfs(t, "--repo", repo, "restore", "PROD/latest", "--to", to)
		if sum(t, target) != fresh {
			t.Error("the repetition restored other bytes")
		}
		if _, err := os.Stat(target + ".datfs-partial"); err == nil {
			t.Error("the marker is still there after the repetition")
		}
	}
	if cut == 0 {
		t.Error("no kill came in the middle of a restore: nothing is tested")
	}
	t.Logf("%d kills came in the middle", cut)
}

// sum returns the SHA-256 of a file. It is not read into memory, of which every
// program that a test starts would be taken to have as much as the test.
func sum(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
