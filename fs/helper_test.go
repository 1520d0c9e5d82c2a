package fs

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
)

// TestMain turns the test binary into a helper process when childEnv says which:
// what must not be done by the process that serves a mount is done there.
func TestMain(m *testing.M) {
	if child := childProcesses[os.Getenv(childEnv)]; child != nil {
		if err := child(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const childEnv = "DATFS_FS_TEST_CHILD"

var childProcesses = map[string]func(args []string) error{
	"mmap":  mmapChild,
	"serve": serveChild,
}

// childCommand returns the test binary as a helper process.
func childCommand(tb testing.TB, name string, args ...string) *exec.Cmd {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	return cmd
}

// skipOrFail skips a test at home. Where tests must not be skipped it fails.
func skipOrFail(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv("CI") != "" || os.Getenv("DATFS_REQUIRE_FUSE") != "" {
		tb.Fatalf(format, args...)
	}
	tb.Skipf(format, args...)
}

func needFUSE(tb testing.TB) {
	tb.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		skipOrFail(tb, "no FUSE: %v", err)
	}
	_ = f.Close()
}

func needTool(tb testing.TB, names ...string) {
	tb.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			skipOrFail(tb, "tool is missing: %v", err)
		}
	}
}

func needRoot(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root")
	}
}

// run runs a program and returns what it wrote. Programs must not be started
// with a working directory in a mount that this process serves.
func run(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// newRepo makes an empty repository and returns it open.
func newRepo(tb testing.TB) *catalog.Repository {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "repo")
	if err := catalog.Init(dir); err != nil {
		tb.Fatal(err)
	}
	return openRepo(tb, dir)
}

func openRepo(tb testing.TB, dir string) *catalog.Repository {
	tb.Helper()
	repo, err := catalog.Open(dir, catalog.Shared)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := repo.Close(); err != nil {
			tb.Error(err)
		}
	})
	return repo
}

// A stored is a file to store.
type stored struct {
	catalog.FileInfo
	data []byte
}

// newStored describes a database file the way the backup does.
func newStored(path, database string, mode uint32, data []byte) stored {
	return stored{data: data, FileInfo: catalog.FileInfo{
		Path: path, Section: catalog.SectionDatabases, Database: database,
		Mode: mode, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()),
		ModTime:   time.Date(2026, 3, 1, 12, 30, 15, 123456789, time.UTC),
		BlockSize: 8192, SizeAtOpen: int64(len(data)),
	}}
}

var firstSet = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// begin starts a set of an instance, n hours after the first.
func begin(tb testing.TB, repo *catalog.Repository, instance string, n int) *catalog.SetWriter {
	tb.Helper()
	w, err := repo.Begin(catalog.BeginOptions{
		Instance: instance, Engine: "files", Program: "test", Time: firstSet.Add(time.Duration(n) * time.Hour),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func store(tb testing.TB, w *catalog.SetWriter, files ...stored) {
	tb.Helper()
	for _, f := range files {
		end := func(info *catalog.FileInfo) error { info.SizeAtEnd = info.SizeAtOpen; return nil }
		if _, err := w.Store(tb.Context(), f.FileInfo, catalog.FromReader(bytes.NewReader(f.data)), end); err != nil {
			tb.Fatal(err)
		}
	}
}

func seal(tb testing.TB, w *catalog.SetWriter) *catalog.SetInfo {
	tb.Helper()
	info, err := w.Seal(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return info
}

// backup stores files as a complete set.
func backup(tb testing.TB, repo *catalog.Repository, instance string, n int, files ...stored) *catalog.SetInfo {
	tb.Helper()
	w := begin(tb, repo, instance, n)
	store(tb, w, files...)
	return seal(tb, w)
}

// mounted mounts repo for the length of the test and returns where.
func mounted(tb testing.TB, repo *catalog.Repository, opts Options) (string, *Server) {
	tb.Helper()
	needFUSE(tb)
	return mountedAt(tb, repo, tb.TempDir(), opts)
}

func mountedAt(tb testing.TB, repo *catalog.Repository, dir string, opts Options) (string, *Server) {
	tb.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(tb.Output(), nil))
	}
	s, err := Mount(repo, dir, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Unmount(); err != nil {
			tb.Error(err)
			_ = syscall.Unmount(dir, syscall.MNT_DETACH) // or the directory could not be removed
		}
	})
	return dir, s
}

// blocks returns n blocks of 8 KiB: unlike each other, compressible, and zero
// where zero says so.
func blocks(seed uint64, n int, zero func(i int) bool) []byte {
	rnd := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n*8192)
	for i := range n {
		if zero != nil && zero(i) {
			continue
		}
		for j := 0; j < 8192; j += 16 {
			b[i*8192+j] = byte(rnd.Uint32() | 1)
		}
	}
	return b
}

// A logBuffer collects log lines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) lines(with string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for line := range strings.Lines(l.b.String()) {
		if strings.Contains(line, with) {
			found = append(found, line)
		}
	}
	return found
}

func (l *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// tree returns the paths below dir, sorted; directories end in a slash, and
// links show their target.
func tree(tb testing.TB, dir string) []string {
	tb.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		switch {
		case d.IsDir():
			rel += "/"
		case d.Type() == os.ModeSymlink:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			rel += " -> " + to
		}
		found = append(found, rel)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	slices.Sort(found)
	return found
}

// wantLines compares two lists of lines.
func wantLines(tb testing.TB, got []string, want string) {
	tb.Helper()
	wanted := strings.Fields(strings.ReplaceAll(want, " -> ", "=>"))
	for i := range wanted {
		wanted[i] = strings.ReplaceAll(wanted[i], "=>", " -> ")
	}
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		tb.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(wanted, "\n  "))
	}
}

// eventually waits until a change has come through to the mount.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * changingFor); !ok(); {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not seen in the mount", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// sameFile fails unless the file at path holds want.
func sameFile(tb testing.TB, path string, want []byte) {
	tb.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		tb.Error(err)
		return
	}
	if !bytes.Equal(got, want) {
		tb.Errorf("%s: %d bytes that differ from the %d stored", path, len(got), len(want))
	}
}
