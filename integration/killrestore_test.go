package integration

import (
	"bytes"
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
	fresh, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	target := filepath.Join(to, db)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		t.Fatal(err)
	}
	cut := 0
	for i := range kills(t) {
		noise(t, target, 120, byte(i+100))
		old, err := os.ReadFile(target)
		if err != nil {
			t.Fatal(err)
		}
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

		got, err := os.ReadFile(target)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(target + ".datfs-partial"); err == nil {
			cut++
		} else if !bytes.Equal(got, old) && !bytes.Equal(got, fresh) {
			t.Error("a mixture of old and new without a marker")
		}
		mustDatfs(t, "--repo", repo, "restore", "PROD/latest", "--to", to)
		if got, err = os.ReadFile(target); err != nil || !bytes.Equal(got, fresh) {
			t.Errorf("the repetition restored %d bytes that differ, %v", len(got), err)
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
