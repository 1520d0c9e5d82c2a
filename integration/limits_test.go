package integration

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"datfs/bench"
)

// tmpfs mounts a file system of a size of its own on a new directory.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "only root can mount a small file system")
	}
	dir := t.TempDir()
	if err := syscall.Mount("datfs-test", dir, "tmpfs", 0, "size="+size); err != nil {
		missing(t, "mount tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		}
	})
	return dir
}

// TestFullDisk has the disk fill up during a backup. Nothing is sealed, the old
// set stays good, the message says what to do, and with more room the next
// backup stores only what is not there yet.
func TestFullDisk(t *testing.T) {
	disk := tmpfs(t, "160m")
	repo := filepath.Join(disk, "repo")
	mustDatfs(t, "init", repo)
	small, large := filepath.Join(t.TempDir(), "small.bin"), filepath.Join(t.TempDir(), "large.bin")
	noise(t, small, 20, 1)
	noise(t, large, 250, 2)
	mustDatfs(t, "--repo", repo, "backup", "files", "--name", "PROD", small)

	r := datfs(t, "--repo", repo, "backup", "files", "--name", "PROD", large)
	if r.code != 1 || !strings.Contains(r.stderr, "no space left on device") || !strings.Contains(r.stderr, "hint: ") {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
	t.Logf("it said: %s", r.stderr)
	kept, unfinished := packBytes(t, repo)
	if unfinished > 0 {
		t.Errorf("%d bytes of unfinished packs", unfinished)
	}
	sets := listSets(t, repo)
	if len(sets) != 2 || sets[0].State != "complete" || sets[1].State != "interrupted" {
		t.Fatalf("sets = %+v", sets)
	}
	mustDatfs(t, "--repo", repo, "verify", "--quiet")
	checkRestored(t, repo, small)

	if err := syscall.Mount("datfs-test", disk, "tmpfs", syscall.MS_REMOUNT, "size=400m"); err != nil {
		t.Fatal(err)
	}
	mustDatfs(t, "--repo", repo, "backup", "files", "--name", "PROD", large)
	if now, _ := packBytes(t, repo); now > 285<<20 {
		t.Errorf("%d bytes in packs for 270 MiB, %d were there after the disk was full", now, kept)
	}
	mustDatfs(t, "--repo", repo, "verify", "--quiet")
	checkRestored(t, repo, large)
}

// maxRSS is the bound on resident memory, in KiB, for any input size.
const maxRSS = 256 << 10 // the kernel counts what the starting test had, too: keep that small

func checkRSS(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	kib := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	t.Logf("%v: at most %d MiB resident", cmd.Args[1:], kib>>10)
	if strings.Contains(os.Getenv("DATFS_BUILD_FLAGS"), "-race") {
		return // the race detector takes several times what the program does
	}
	if kib > maxRSS {
		t.Errorf("%v took %d MiB of memory", cmd.Args, kib>>10)
	}
}

// TestSparse stores, lists, verifies and restores a file of a tebibyte of zeros
// around a few blocks: in kilobytes, and in bounded memory.
func TestSparse(t *testing.T) {
	db := filepath.Join(t.TempDir(), "sparse.bin")
	f, err := os.Create(db)
	if err != nil {
		t.Fatal(err)
	}
	const size = 1 << 40
	for _, off := range []int64{0, size/2 + 777, size - 5} {
		if _, err := f.WriteAt([]byte("block"), off); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	repo := newRepository(t)
	before := diskUse(t, repo)
	cmd := command(t, "--repo", repo, "backup", "files", "--name", "PROD", db)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	checkRSS(t, cmd)
	if grown := diskUse(t, repo) - before; grown > 300<<10 {
		t.Errorf("the repository grew by %d bytes", grown)
	}
	mustDatfs(t, "--repo", repo, "verify", "--quiet")
	out := t.TempDir()
	mustDatfs(t, "--repo", repo, "restore", "PROD/latest", "--to", out)
	st, err := os.Stat(filepath.Join(out, db))
	if err != nil {
		t.Fatal(err)
	}
	if used := st.Sys().(*syscall.Stat_t).Blocks * 512; st.Size() != size || used > 1<<20 {
		t.Errorf("restored %d bytes that take %d", st.Size(), used)
	}
	g, err := os.Open(filepath.Join(out, db))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.Close() }()
	for _, off := range []int64{0, size/2 + 777, size - 5} {
		buf := make([]byte, 5)
		if _, err := g.ReadAt(buf, off); err != nil && err != io.EOF || string(buf) != "block" {
			t.Errorf("at %d: %q, %v", off, buf, err)
		}
	}
}

// diskUse returns the size of all files of a directory.
func diskUse(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.Walk(dir, func(_ string, st os.FileInfo, err error) error {
		if err == nil && st.Mode().IsRegular() {
			n += st.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSideBySide runs backups of two instances at the same time while the mount
// is being read: all come to their end (I5), and a second backup of the same
// instance is refused while the first one runs.
func TestSideBySide(t *testing.T) {
	needFUSE(t)
	repo := newRepository(t)
	dir := t.TempDir()
	old, one, two := filepath.Join(dir, "old.bin"), filepath.Join(dir, "one.bin"), filepath.Join(dir, "two.bin")
	noise(t, old, 30, 1)
	noise(t, one, 150, 2)
	noise(t, two, 150, 3)
	mustDatfs(t, "--repo", repo, "backup", "files", "--name", "PROD", old)
	mnt := mount(t, repo, "--direct-io")
	shown := filepath.Join(mnt, "latest/PROD/databases", old)

	var backups sync.WaitGroup
	results := make([]result, 2)
	for i, args := range [][]string{{"--name", "A", one}, {"--name", "B", two}} {
		cmd := command(t, append([]string{"--repo", repo, "backup", "files"}, args...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			checkRefused(t, repo, "A", cmd.Process, old)
		}
		backups.Go(func() {
			_ = cmd.Wait()
			results[i] = result{stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
		})
	}
	ended := make(chan struct{})
	go func() { backups.Wait(); close(ended) }()
	for running := true; running; {
		select {
		case <-ended:
			running = false
		default:
			mustRun(t, "cmp", old, shown)
		}
	}
	for _, r := range results {
		if r.code != 0 {
			t.Errorf("backup: exit code %d, %s", r.code, r.stderr)
		}
	}
	mustDatfs(t, "--repo", repo, "verify", "--quiet")
}

// checkRefused stops a backup of an instance in the middle, checks that another
// one is refused, and lets the first go on.
func checkRefused(t *testing.T, repo, instance string, first *os.Process, file string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		if sets, err := filepath.Glob(filepath.Join(repo, "sets", instance, "*.partial")); err == nil && len(sets) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the backup of %s has not begun its set", instance)
		}
		time.Sleep(time.Millisecond)
	}
	if err := first.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if r := datfs(t, "--repo", repo, "backup", "files", "--name", instance, file); r.code != 11 {
		t.Errorf("a second backup of %s while the first one runs: exit code %d, want 11\n%s", instance, r.code, r.stderr)
	}
	if err := first.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// TestMemory stores a database larger than all bounds, and reads it back.
func TestMemory(t *testing.T) {
	db := filepath.Join(t.TempDir(), "IRIS.DAT")
	if err := bench.WriteDatabase(db, bench.Options{Bytes: 600 << 20, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	repo := newRepository(t)
	for _, args := range [][]string{
		{"backup", "files", "--name", "PROD", db},
		{"backup", "files", "--name", "PROD", db},
		{"verify", "--quiet"},
		{"restore", "PROD/latest", "--to", t.TempDir()},
	} {
		cmd := command(t, append([]string{"--repo", repo}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		checkRSS(t, cmd)
	}
}
