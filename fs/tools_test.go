package fs

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// diskBlocks returns st_blocks of a file.
func diskBlocks(tb testing.TB, path string) int64 {
	tb.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		tb.Fatal(err)
	}
	return st.Blocks
}

// sameCopy fails unless to holds what was stored, with mode, owner and time.
func sameCopy(t *testing.T, to string, files []stored) {
	t.Helper()
	for _, f := range files {
		path := filepath.Join(to, f.Path)
		sameFile(t, path, f.data)
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			t.Error(err)
			continue
		}
		if st.Mode&0o7777 != f.Mode || st.Uid != f.UID || st.Gid != f.GID || st.Mtim.Nano() != f.ModTime.UnixNano() {
			t.Errorf("%s: mode %o, owner %d:%d, mtime %d; want %o, %d:%d, %d", path,
				st.Mode&0o7777, st.Uid, st.Gid, st.Mtim.Nano(), f.Mode, f.UID, f.GID, f.ModTime.UnixNano())
		}
	}
}

func TestTools(t *testing.T) {
	needTool(t, "rsync", "cp", "tar", "find", "md5sum", "xxhsum", "du")
	repo := newRepo(t)
	files := standardSet(t, repo)
	dir, _ := mounted(t, repo, Options{})
	databases := filepath.Join(dir, "latest/PROD/databases") + "/"

	t.Run("Rsync", func(t *testing.T) {
		to := t.TempDir() + "/"
		for _, f := range files[:2] { // an older state: rsync must write into it
			old := bytes.Clone(f.data)
			old[9000]++
			if err := os.MkdirAll(filepath.Dir(to+f.Path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to+f.Path, old[:len(old)-1], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		run(t, "rsync", "-aHAX", "--inplace", databases, to)
		sameCopy(t, to, files)
		if out := run(t, "rsync", "-aHAX", "--inplace", "--checksum", "--itemize-changes", databases, to); out != "" {
			t.Errorf("a second rsync finds changes:\n%s", out)
		}
	})
	t.Run("RsyncSparse", func(t *testing.T) {
		to := t.TempDir() + "/"
		run(t, "rsync", "-aS", databases, to)
		sameCopy(t, to, files)
		if n := diskBlocks(t, to+"data/zeros"); n > 64 {
			t.Errorf("zeros: %d blocks written", n)
		}
	})
	t.Run("Cp", func(t *testing.T) {
		to := t.TempDir() + "/"
		run(t, "cp", "-a", "--sparse=always", databases+".", to)
		sameCopy(t, to, files)
		run(t, "cp", "-a", "--sparse=auto", databases+"data/user/IRIS.DAT", to+"auto")
		for _, name := range []string{to + "data/user/IRIS.DAT", to + "auto"} {
			if got, whole := diskBlocks(t, name), int64(len(files[0].data))/512; got >= whole*3/4 {
				t.Errorf("%s: %d blocks of %d written, the holes are lost", name, got, whole)
			}
		}
	})
	t.Run("Tar", func(t *testing.T) {
		to := t.TempDir() + "/"
		run(t, "sh", "-c", "tar -C "+quote(databases)+" --sparse -cf - . | tar -C "+quote(to)+" -xpf -")
		for _, f := range files {
			sameFile(t, to+f.Path, f.data)
		}
	})
	t.Run("Find", func(t *testing.T) {
		out := run(t, "find", dir, "-name", "IRIS.DAT*", "-size", "+0", "-type", "f")
		if got := strings.Count(out, "\n"); got != 6 {
			t.Errorf("find finds %d, want 3 by set and 3 by database:\n%s", got, out)
		}
	})
	t.Run("Md5sum", func(t *testing.T) {
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.WriteFile(copied, files[1].data, 0o600); err != nil {
			t.Fatal(err)
		}
		got, want := run(t, "md5sum", inSet(dir, set1, files[1])), run(t, "md5sum", copied)
		if got[:32] != want[:32] {
			t.Errorf("md5sum = %s, want %s", got, want)
		}
	})
	t.Run("Xxhsum", func(t *testing.T) {
		out := run(t, "sh", "-c", "cd "+quote(filepath.Join(dir, "latest/PROD"))+" && xxhsum -c SUMS.xxh64")
		if got := strings.Count(out, ": OK\n"); got != len(standard()) {
			t.Errorf("%d files are OK, want all %d:\n%s", got, len(standard()), out)
		}
	})
	t.Run("Readme", func(t *testing.T) { // its commands do what it says
		readme, err := os.ReadFile(filepath.Join(dir, "README.txt"))
		if err != nil {
			t.Fatal(err)
		}
		to := t.TempDir()
		command := func(start string) string {
			_, rest, ok := strings.Cut(string(readme), "\n  "+start)
			if !ok {
				t.Fatalf("no command %q in\n%s", start, readme)
			}
			line, _, _ := strings.Cut(rest, "\n")
			return strings.ReplaceAll(start+line, "/restore", quote(to))
		}
		run(t, "sh", "-c", command("rsync"))
		sameCopy(t, to, files)
		for _, start := range []string{"cd " + quote(dir), "cd /restore"} {
			if out := run(t, "sh", "-c", command(start)); strings.Count(out, ": OK\n") != len(files) {
				t.Errorf("%s:\n%s", command(start), out)
			}
		}
	})
	t.Run("Du", func(t *testing.T) {
		out := run(t, "du", "-k", filepath.Join(dir, set1, "databases/data/zeros"))
		if !strings.HasPrefix(out, "0\t") {
			t.Errorf("du of a hole: %s", out)
		}
	})
}
