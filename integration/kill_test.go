package integration

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kills is how many backups TestKill kills: DATFS_KILLS, or a few.
func kills(t *testing.T) int {
	t.Helper()
	s := os.Getenv("DATFS_KILLS")
	if s == "" {
		return 4
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("DATFS_KILLS: %v", err)
	}
	return n
}

// noise makes a file of so many MiB that cannot be compressed or deduplicated.
func noise(t *testing.T, path string, mib int64, seed byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{seed}), mib<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A listedSet is a set as "sets --json" shows it, as far as tests look.
type listedSet struct {
	Instance    string `json:"instance"`
	Name        string `json:"name"`
	State       string `json:"state"`
	Bytes       int64  `json:"bytes"`
	StoredBytes int64  `json:"stored_bytes"`
}

func listSets(t *testing.T, repo string) []listedSet {
	t.Helper()
	var sets []listedSet
	if err := json.Unmarshal([]byte(mustDatfs(t, "--repo", repo, "sets", "--json")), &sets); err != nil {
		t.Fatal(err)
	}
	return sets
}

// packBytes returns the size of all files below packs/, and of those that are
// unfinished.
func packBytes(t *testing.T, repo string) (total, unfinished int64) {
	t.Helper()
	err := filepath.Walk(filepath.Join(repo, "packs"), func(_ string, st os.FileInfo, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err == nil && st.Mode().IsRegular() {
			total += st.Size()
			if strings.HasPrefix(st.Name(), "tmp-") {
				unfinished += st.Size()
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total, unfinished
}

// checkRestored restores the latest set and compares its one file with want.
func checkRestored(t *testing.T, repo, want string) {
	t.Helper()
	out := t.TempDir()
	mustDatfs(t, "--repo", repo, "restore", "PROD/latest", "--to", out)
	mustRun(t, "cmp", want, filepath.Join(out, want))
}

// TestKill kills backups with SIGKILL at random moments. Whatever the moment:
// the old set is as it was, no other can be taken for complete, everything
// verifies, and the next backup succeeds and stores hardly more than what was
// not stored.
func TestKill(t *testing.T) {
	repo := newRepository(t)
	db := filepath.Join(t.TempDir(), "data.bin")
	noise(t, db, 1, 0)
	mustDatfs(t, "--repo", repo, "backup", "files", "--name", "PROD", db)
	const mib = 200
	for i := range kills(t) {
		noise(t, db, mib, byte(i+1))
		before, _ := packBytes(t, repo)
		cmd := command(t, "--repo", repo, "backup", "files", "--name", "PROD", db)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Not by the clock alone: a busy machine would only see early kills.
		limit := rand.Int64N(mib << 20)
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
			if now, _ := packBytes(t, repo); now-before >= limit {
				break
			}
		}
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
		killed, unfinished := packBytes(t, repo)

		sets := listSets(t, repo)
		for _, s := range sets[:len(sets)-1] {
			if s.State != "complete" {
				t.Errorf("%s is %s", s.Name, s.State)
			}
		}
		t.Logf("killed with %d MiB in packs, %d unfinished; the set is %s", (killed-before)>>20, unfinished>>20, sets[len(sets)-1].State)
		mustDatfs(t, "--repo", repo, "verify", "--quiet")

		mustDatfs(t, "--repo", repo, "backup", "files", "--name", "PROD", db)
		after, left := packBytes(t, repo)
		if left > 0 {
			t.Errorf("%d bytes of unfinished packs are left", left)
		}
		// All of the file is in packs once, and but for what lay before the first
		// hook of each kept pack, nothing is in them twice.
		if grown, most := after-before, int64(mib+10)<<20; grown > most {
			t.Errorf("the repository grew by %d bytes for a file of %d MiB, want at most %d", grown, mib, most)
		}
		for _, s := range listSets(t, repo) {
			if s.State != "complete" {
				t.Errorf("%s is %s after the next backup", s.Name, s.State)
			}
		}
		checkRestored(t, repo, db)
	}
	mustDatfs(t, "--repo", repo, "verify", "--quiet")
}

// TestInterrupt ends a backup the way ^C does: at once, with the exit code of
// interrupted programs, and what was stored stays stored.
func TestInterrupt(t *testing.T) {
	repo := newRepository(t)
	db := filepath.Join(t.TempDir(), "data.bin")
	noise(t, db, 300, 1)
	cmd := command(t, "--repo", repo, "backup", "files", "--name", "PROD", db)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if now, _ := packBytes(t, repo); now > 100<<20 {
			break
		}
	}
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	kept, unfinished := packBytes(t, repo)
	if unfinished > 0 {
		t.Errorf("%d bytes of unfinished packs", unfinished)
	}
	sets := listSets(t, repo)
	if len(sets) != 1 || sets[0].State != "interrupted" {
		t.Fatalf("sets = %+v", sets)
	}
	mustDatfs(t, "--repo", repo, "verify", "--quiet")
	if r := datfs(t, "--repo", repo, "restore", "PROD/latest", "--to", t.TempDir()); r.code != 1 {
		t.Errorf("restore of nothing complete: exit code %d, %s", r.code, r.stderr)
	}
	mustDatfs(t, "--repo", repo, "backup", "files", "--name", "PROD", db)
	sets = listSets(t, repo)
	if len(sets) != 1 || sets[0].State != "complete" {
		t.Fatalf("sets = %+v", sets)
	}
	if most := int64(310<<20) - kept; sets[0].StoredBytes > most {
		t.Errorf("stored %d bytes more, with %d there; want at most %d", sets[0].StoredBytes, kept, most)
	}
	checkRestored(t, repo, db)
}
