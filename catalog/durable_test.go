package catalog

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var updateTraces = flag.Bool("update-traces", false, "rewrite the golden traces of durable steps")

func TestDisk_Replace(t *testing.T) {
	var trace strings.Builder
	d := &disk{dir: t.TempDir(), trace: func(step, name string) { fmt.Fprintln(&trace, step, name) }}
	for _, content := range []string{"one", "two"} {
		trace.Reset()
		if err := d.replace("config", []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(d.path("config"))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != content {
			t.Errorf("content = %q, want %q", got, content)
		}
		if got, want := trace.String(), "create config.tmp\nsync config.tmp\nrename config\nsync .\n"; got != want {
			t.Errorf("steps:\n%swant:\n%s", got, want)
		}
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestTrace holds the order of the durable steps of a backup against a golden
// file. A missing sync shows nowhere else: after a kill the page cache is still
// there, and only a power cut would tell.
func TestTrace(t *testing.T) {
	r := newRepo(t)
	r.packSize = 256 << 10
	var mu sync.Mutex
	steps := map[string][]string{} // by file: packs are published beside what else goes on
	r.disk.trace = func(step, name string) {
		mu.Lock()
		defer mu.Unlock()
		kind := "set"
		if strings.HasPrefix(name, packsName) {
			kind = "pack"
		}
		steps[kind] = append(steps[kind], step+" "+anonymous(name))
	}
	storeSet(t, r, "PROD", testFile{"/a", 8192, blocks(400, 8192, 1)})
	mu.Lock()
	defer mu.Unlock()
	// Which packs and syncs of a growing set file there are depends on how fast
	// the disk is; the order of steps does not.
	got := "set file:\n" + strings.Join(slices.Compact(steps["set"]), "\n") + "\n\npacks:\n" + strings.Join(onePack(steps["pack"]), "\n") + "\n"
	golden := filepath.Join("testdata", "trace.golden")
	if *updateTraces {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("durable steps:\n%s\nwant:\n%s", got, want)
	}
}

var (
	hexRE  = regexp.MustCompile(`[0-9a-f]{32}`)
	dirRE  = regexp.MustCompile(`packs/[0-9a-f]{2}\b`)
	timeRE = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9-]{8}Z`)
)

// anonymous replaces what is random or of today in a name.
func anonymous(name string) string {
	return timeRE.ReplaceAllString(dirRE.ReplaceAllString(hexRE.ReplaceAllString(name, "ID"), "packs/xx"), "TIME")
}

// onePack returns the steps of the publishing of the last pack, from its sync
// on: the next pack is created while it goes on. Its directory may exist.
func onePack(steps []string) []string {
	var out []string
	for _, s := range steps {
		switch {
		case strings.HasPrefix(s, "sync packs/tmp"):
			out = []string{s}
		case !strings.HasPrefix(s, "create") && !strings.HasPrefix(s, "mkdir") && s != "sync packs":
			out = append(out, s)
		}
	}
	return out
}

// TestCrash copies the repository after every durable step of a backup, as a
// kill at that moment would leave it. In each copy everything verifies, the old
// set is as it was, the new one is complete or cannot be taken for it, and the
// next backup succeeds, cleans up, and stores hardly anything again.
func TestCrash(t *testing.T) {
	old := testFile{"/a", 8192, blocks(200, 8192, 1)}
	fresh := testFile{"/a", 8192, append(bytes.Clone(old.data[:50*8192]), blocks(1500, 8192, 2)...)}
	r := newRepo(t)
	r.packSize = 2 << 20
	first := storeSet(t, r, "PROD", old)

	type crash struct {
		dir    string
		packs  int // of the new set that are published
		sealed bool
	}
	var mu sync.Mutex
	var crashes []crash
	published := 0
	r.disk.trace = func(step, name string) {
		mu.Lock()
		defer mu.Unlock()
		r.db.mu.Lock() // or the copy would have half a transaction, which a kill cannot leave
		defer r.db.mu.Unlock()
		dir := filepath.Join(t.TempDir(), fmt.Sprintf("%02d", len(crashes)))
		if err := os.CopyFS(dir, os.DirFS(r.Dir())); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
		if step == "catalog" {
			published++
		}
		crashes = append(crashes, crash{dir: dir, packs: published, sealed: step == "rename" && strings.HasSuffix(name, sealedSuffix)})
	}
	second := storeSet(t, r, "PROD", fresh)
	r.disk.trace = nil
	if len(crashes) < 10 || published < 2 {
		t.Fatalf("%d durable steps with %d packs: nothing is tested", len(crashes), published)
	}
	for i, c := range crashes {
		t.Run(filepath.Base(c.dir), func(t *testing.T) {
			checkClean(t, c.dir)
			r := openRepo(t, c.dir)
			readBack(t, r, first.SetName(), old)
			want := first.SetName()
			if c.sealed || i == len(crashes)-1 {
				want = second.SetName()
				readBack(t, r, want, fresh)
			}
			if got, err := r.Resolve("PROD/latest"); err != nil || got != want {
				t.Errorf("latest = %v, %v, want %v", got, err, want)
			}
			again := storeSet(t, r, "PROD", fresh)
			readBack(t, r, again.SetName(), fresh)
			// Of each pack the blocks before its first hook may be stored again:
			// many, in packs as small as these.
			if most := second.NewBytes * int64(published-c.packs+1) / int64(published); again.NewBytes > most {
				t.Errorf("stored %d bytes again with %d of %d packs there, want at most %d of %d",
					again.NewBytes, c.packs, published, most, second.NewBytes)
			}
			checkNoRemains(t, c.dir)
			checkClean(t, c.dir)
		})
	}
}

// checkNoRemains fails the test if a repository without running backups has
// files of unfinished ones.
func checkNoRemains(tb testing.TB, dir string) {
	tb.Helper()
	for _, pattern := range []string{"packs/tmp-*", "sets/*/*" + partialSuffix, "sets/*/*" + notesSuffix + "/*.tmp", "*.tmp", "*.new"} {
		left, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || left != nil {
			tb.Errorf("left behind: %v %v", left, err)
		}
	}
}

// cutSource yields data up to a point and then calls cut before it goes on.
type cutSource struct {
	data []byte
	at   int
	cut  func() error
	pos  int
}

func (s *cutSource) Next(buf []byte) (int, int64, error) {
	if s.pos >= s.at && s.cut != nil {
		if err := s.cut(); err != nil {
			return 0, 0, err
		}
		s.cut = nil
	}
	if s.pos == len(s.data) {
		return 0, 0, io.EOF
	}
	n := copy(buf, s.data[s.pos:min(len(s.data), s.pos+256<<10)])
	s.pos += n
	return n, 0, nil
}

// TestAbort cuts a backup off in the middle. Its repetition reads everything
// but stores only what the first one had not come to.
func TestAbort(t *testing.T) {
	data := blocks(2000, 8192, 1)
	r := newRepo(t)
	r.packSize = 1 << 20
	w, err := r.Begin(BeginOptions{Instance: "PROD"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	src := &cutSource{data: data, at: len(data) / 2, cut: func() error { cancel(); return nil }}
	info := FileInfo{Path: "/a", Section: SectionDatabases, BlockSize: 8192, SizeAtOpen: int64(len(data))}
	if _, err := w.Store(ctx, info, src, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("store: %v, want %v", err, context.Canceled)
	}
	if _, err := r.Begin(BeginOptions{Instance: "PROD"}); !errors.Is(err, ErrLocked) {
		t.Errorf("second backup of the instance: %v, want %v", err, ErrLocked)
	}
	if got := stateOf(t, r, w.Name()); got != StateRunning {
		t.Errorf("state while it is written = %v", got)
	}
	if err := w.Abort(errors.New("the operator said so")); err != nil {
		t.Fatal(err)
	}
	if got := stateOf(t, r, w.Name()); got != StateInterrupted {
		t.Errorf("state after the abort = %v", got)
	}
	if _, err := r.Resolve("PROD/latest"); !errors.Is(err, ErrNotFound) { // I6
		t.Errorf("latest: %v, want %v", err, ErrNotFound)
	}
	again := storeSet(t, r, "PROD", testFile{"/a", 8192, data})
	if most := int64(len(data)) * 6 / 10; again.NewBytes > most {
		t.Errorf("stored %d bytes, want at most %d of %d", again.NewBytes, most, len(data))
	}
	checkNoRemains(t, r.Dir())
}

func stateOf(tb testing.TB, r *Repository, name SetName) State {
	tb.Helper()
	sets, err := r.Sets()
	if err != nil {
		tb.Fatal(err)
	}
	for _, s := range sets {
		if s.SetName() == name {
			return s.State
		}
	}
	tb.Fatalf("%v is not listed", name)
	return ""
}

// TestFailedFile has one of three files fail in the middle. The others are
// stored, and the set is incomplete (I6).
func TestFailedFile(t *testing.T) {
	r := newRepo(t)
	w, err := r.Begin(BeginOptions{Instance: "PROD"})
	if err != nil {
		t.Fatal(err)
	}
	bad := errors.New("the disk has a bad sector")
	files := []testFile{{"/a", 8192, blocks(5000, 8192, 1)}, {"/bad", 8192, blocks(5000, 8192, 2)}, {"/c", 8192, blocks(5000, 8192, 3)}}
	for _, f := range files {
		src := &cutSource{data: f.data, at: len(f.data) - 1}
		if f.path == "/bad" {
			src.cut = func() error { return bad }
		}
		_, err := w.Store(t.Context(), FileInfo{Path: f.path, BlockSize: f.blockSize}, src, nil)
		if f.path == "/bad" {
			if !errors.Is(err, bad) {
				t.Errorf("store: %v, want %v", err, bad)
			}
			w.Fail(Problem{Path: f.path, Error: err.Error(), Fatal: true})
		} else if err != nil {
			t.Fatal(err)
		}
	}
	info, err := w.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State != StateIncomplete || len(info.Problems) != 1 {
		t.Errorf("state %v, problems %v", info.State, info.Problems)
	}
	readBack(t, r, info.SetName(), files[0], files[2])
	again := storeSet(t, r, "PROD", files...)
	if again.NewBytes > int64(len(files[1].data))/10 {
		t.Errorf("stored %d bytes of the failed file again", again.NewBytes)
	}
	readBack(t, r, again.SetName(), files...)
}

// TestConcurrent runs backups of two instances while a third reader goes on
// reading a set: none of them locks another out (I5).
func TestConcurrent(t *testing.T) {
	r := newRepo(t)
	r.packSize = 1 << 20
	old := testFile{"/a", 8192, blocks(500, 8192, 1)}
	first := storeSet(t, r, "PROD", old)

	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		reads := 0
		for {
			select {
			case <-stop:
				if reads < 3 {
					t.Errorf("only %d reads while the backups ran", reads)
				}
				return
			default:
				mine := openRepo(t, r.Dir()) // as another process would
				readBack(t, mine, first.SetName(), old)
				reads++
			}
		}
	})
	var backups sync.WaitGroup
	for i, instance := range []string{"PROD", "TEST"} {
		backups.Go(func() {
			mine := openRepo(t, r.Dir())
			mine.packSize = 1 << 20
			f := testFile{"/a", 8192, blocks(2000, 8192, uint64(10+i))}
			info := storeSet(t, mine, instance, f)
			readBack(t, mine, info.SetName(), f)
		})
	}
	done := make(chan struct{})
	go func() { backups.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Minute):
		t.Error("the backups have not come to their end")
	}
	close(stop)
	reader.Wait()
}
