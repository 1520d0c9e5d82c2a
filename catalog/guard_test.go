package catalog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"datfs/catalog/pack"
)

// TestInit_Used initialises directories that must be left alone: above all a
// repository that has lost its config, whose blocks only the old key finds.
func TestInit_Used(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, dir string)
		init error
		open error
	}{
		{"Repository", func(t *testing.T, _ string) { t.Helper() }, ErrNotEmpty, nil},
		{"ConfigLost", func(t *testing.T, dir string) {
			t.Helper()
			if err := errors.Join(os.Remove(filepath.Join(dir, configName)), os.Remove(filepath.Join(dir, configCopy))); err != nil {
				t.Fatal(err)
			}
		}, ErrNotEmpty, ErrCorrupt},
		{"ConfigLostButNotItsCopy", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, configName)); err != nil {
				t.Fatal(err)
			}
		}, ErrNotEmpty, nil},
		{"StrangeFile", func(t *testing.T, dir string) {
			t.Helper()
			err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "x"), nil, 0o600))
			if err != nil {
				t.Fatal(err)
			}
		}, ErrNotEmpty, ErrNotRepository},
		{"HalfInitialised", func(t *testing.T, dir string) {
			t.Helper()
			err := errors.Join(os.RemoveAll(dir), os.MkdirAll(filepath.Join(dir, packsName), 0o700),
				os.WriteFile(filepath.Join(dir, lockName), nil, 0o600), os.WriteFile(filepath.Join(dir, catalogName), []byte("half"), 0o600))
			if err != nil {
				t.Fatal(err)
			}
		}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "repo")
			if err := Init(dir); err != nil {
				t.Fatal(err)
			}
			r := openRepo(t, dir)
			storeSet(t, r, "PROD", testFile{"/a", 8192, blocks(10, 8192, 1)})
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			tt.make(t, dir)
			if err := Init(dir); !errors.Is(err, tt.init) {
				t.Errorf("init: %v, want %v", err, tt.init)
			}
			r, err := Open(dir, Shared)
			if !errors.Is(err, tt.open) {
				t.Errorf("open: %v, want %v", err, tt.open)
			}
			if err == nil {
				_ = r.Close()
			}
		})
	}
}

// TestInit_Race has several programs initialise one directory: one succeeds.
func TestInit_Race(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "repo")
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() { errs[i] = Init(dir) })
		}
		wg.Wait()
		good := 0
		for _, err := range errs {
			if err == nil {
				good++
			} else if !errors.Is(err, ErrNotEmpty) && !errors.Is(err, ErrLocked) {
				t.Error(err)
			}
		}
		if good != 1 {
			t.Fatalf("%d of %d initialised the same directory: %v", good, len(errs), errs)
		}
	}
}

// TestMemory_OpenPacks stores many packs of new blocks and looks at what stays
// in memory of those that are published.
func TestMemory_OpenPacks(t *testing.T) {
	r := newRepo(t)
	r.packSize = 64 << 10
	w, err := r.Begin(BeginOptions{Instance: "PROD"})
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for i := range 20 {
		src := &cutSource{data: blocks(64, 8192, uint64(i))}
		if _, err := w.Store(t.Context(), FileInfo{Path: fmt.Sprint("/", i), BlockSize: 8192}, src, nil); err != nil {
			t.Fatal(err)
		}
		for range 1000 { // until the disk has caught up, or not
			if len(w.packer.queue) == 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		most = max(most, len(w.dedup.open))
	}
	packs := len(w.dedup.slots)
	if _, err := w.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if packs < 60 || most > packs/3 {
		t.Errorf("of %d packs up to %d were kept in memory", packs, most)
	}
}

// TestClockSetBack takes a set at a time before that of the newest one. It is
// the latest all the same, is shown as running while it is, and says why its
// name is not its time.
func TestClockSetBack(t *testing.T) {
	r := newRepo(t)
	storeSet(t, r, "PROD", testFile{"/a", 8192, blocks(10, 8192, 1)})
	past := time.Now().Add(-24 * time.Hour)
	w, err := r.Begin(BeginOptions{Instance: "PROD", Time: past})
	if err != nil {
		t.Fatal(err)
	}
	src := &cutSource{data: blocks(10, 8192, 2)}
	if _, err := w.Store(t.Context(), FileInfo{Path: "/a", BlockSize: 8192}, src, nil); err != nil {
		t.Fatal(err)
	}
	if got := stateOf(t, r, w.Name()); got != StateRunning {
		t.Errorf("state = %v", got)
	}
	info, err := w.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Resolve("PROD/latest"); err != nil || got != info.SetName() {
		t.Errorf("latest = %v, %v, want %v", got, err, info.SetName())
	}
	if info.State != StateComplete || !info.Time.Equal(past.UTC().Truncate(time.Second)) || len(info.Problems) != 1 {
		t.Errorf("state %v, time %v, problems %v", info.State, info.Time, info.Problems)
	}
}

// TestStrangeTimes stores files and directories whose times RFC 3339 does not
// know.
func TestStrangeTimes(t *testing.T) {
	r := newRepo(t)
	w, err := r.Begin(BeginOptions{Instance: "PROD"})
	if err != nil {
		t.Fatal(err)
	}
	far := time.Unix(400_000_000_000, 0)
	w.AddDir(DirInfo{Path: "/d", ModTime: far})
	if _, err := w.Store(t.Context(), FileInfo{Path: "/d/a", ModTime: far}, &cutSource{data: []byte("x")}, nil); err != nil {
		t.Fatal(err)
	}
	info, err := w.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.State != StateComplete || len(info.Problems) != 2 {
		t.Errorf("state %v, problems %v", info.State, info.Problems)
	}
}

// TestSeal_AfterFailure has the catalog fail in the middle of a set. Nothing can
// be sealed then, whatever the caller does.
func TestSeal_AfterFailure(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	r := openRepo(t, dir)
	w, err := r.Begin(BeginOptions{Instance: "PROD"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, catalogName), 100); err != nil {
		t.Fatal(err)
	}
	var failed error
	for i := range 3 {
		_, err := w.Store(t.Context(), FileInfo{Path: fmt.Sprint("/", i), BlockSize: 8192}, &cutSource{data: blocks(2000, 8192, uint64(i))}, nil)
		failed = errors.Join(failed, err)
	}
	if _, ok := errors.AsType[*RepositoryError](failed); !ok {
		t.Fatalf("store: %v", failed)
	}
	if _, err := w.Seal(t.Context()); err == nil {
		t.Error("sealed after a failure of the repository")
	}
	if err := w.Abort(failed); err != nil {
		t.Error(err)
	}
	if _, err := r.Resolve("PROD/latest"); !errors.Is(err, ErrNotFound) {
		t.Errorf("latest: %v, want %v", err, ErrNotFound)
	}
}

// TestCheckpoint copies the repository after each checkpoint of a backup whose
// blocks have no hook among them: only what the checkpoint wrote of the file
// tells the next backup where its blocks are.
func TestCheckpoint(t *testing.T) {
	hasher := pack.NewHasher(pack.Key{1, 2, 3})
	var data []byte
	for i := uint64(1); len(data) < 600*65536; i++ {
		b := blocks(1, 65536, i)
		if !hasher.BlockID(b).IsHook() {
			data = append(data, b...)
		}
	}
	r := newRepo(t)
	r.packSize = 2 << 20
	var mu sync.Mutex
	var published int64
	kept := map[string]int64{} // copy of the repository -> bytes in its packs, before compression
	r.disk.trace = func(step, name string) {
		mu.Lock()
		defer mu.Unlock()
		if step == "catalog" {
			published++
		}
		if step == "sync" && strings.HasSuffix(name, partialSuffix) && published > 0 {
			r.db.mu.Lock()
			defer r.db.mu.Unlock()
			dir := filepath.Join(t.TempDir(), fmt.Sprint(len(kept)))
			if err := os.CopyFS(dir, os.DirFS(r.Dir())); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
			kept[dir] = published
		}
	}
	f := testFile{"/a", 65536, data}
	w, err := r.Begin(BeginOptions{Instance: "PROD"})
	if err != nil {
		t.Fatal(err)
	}
	info := FileInfo{Path: f.path, Section: SectionDatabases, BlockSize: f.blockSize, SizeAtOpen: int64(len(data))}
	if _, err := w.Store(t.Context(), info, &cutSource{data: data}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.disk.trace = nil
	if len(kept) < 3 {
		t.Fatalf("%d checkpoints of %d packs: nothing is tested", len(kept), published)
	}
	for dir, n := range kept {
		again := storeSet(t, openRepo(t, dir), "PROD", f)
		// A pack's worth lies between the last published pack and the page.
		if most := int64(len(data)) * (published - n + 2) / published; again.NewBytes > most {
			t.Errorf("with %d of %d packs there, %d bytes are stored again, want at most %d", n, published, again.NewBytes, most)
		}
	}
}

// TestCatalogDamage flips bits all over a catalog of many hooks. Whatever bbolt
// makes of it, nobody hangs, sets can be read, and the next call says that the
// catalog is damaged or works.
func TestCatalogDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	r := openRepo(t, dir)
	f := testFile{"/a", 8192, blocks(10, 8192, 1)}
	info := storeSet(t, r, "PROD", f)
	fillCatalog(t, r, 20_000)
	good, err := os.ReadFile(filepath.Join(dir, catalogName))
	if err != nil {
		t.Fatal(err)
	}
	for i, off := range damageOffsets(len(good)) {
		if testing.Short() && i%5 != 0 {
			continue
		}
		bad := slices.Clone(good)
		bad[off] ^= 1 << (i % 8)
		if err := os.WriteFile(filepath.Join(dir, catalogName), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		mine := openRepo(t, dir)
		readBack(t, mine, info.SetName(), f)
		for range 2 {
			err := mine.db.view(func(t txn) error { return t.check() })
			if _, isCorrupt := errors.AsType[*CorruptError](err); err != nil && !isCorrupt && !strings.Contains(err.Error(), "bucket") {
				t.Errorf("bit %d of byte %d: %v", i%8, off, err)
			}
		}
		_ = mine.Close()
	}
}

// fillCatalog enters packs that do not exist, with n hooks together.
func fillCatalog(tb testing.TB, r *Repository, n int) {
	tb.Helper()
	hasher := pack.NewHasher(pack.NewKey())
	var entries []packEntry
	for n > 0 {
		e := packEntry{id: pack.NewID(), rec: packRecord{size: 1, raw: 1, ordinals: 1, present: 1}}
		for range 200 {
			e.hooks = append(e.hooks, hook{hasher.BlockID(fmt.Append(nil, n)), uint32(n)})
			n--
		}
		entries = append(entries, e)
	}
	if err := r.enterPacks(entries...); err != nil {
		tb.Fatal(err)
	}
}

// damageOffsets are in the header of each page, where bbolt keeps what it
// follows, but for the overflow count: one that is far too large keeps it busy
// for minutes.
func damageOffsets(size int) []int {
	var out []int
	for page := 0; page < size; page += 4096 {
		for _, field := range []int{1, 8, 10, 16, 20, 24, 33} {
			if (page/4096+field)%5 == 0 || page < 5*4096 {
				out = append(out, page+field)
			}
		}
	}
	return out
}

// TestStore_TooLarge refuses files whose pages would not fit into memory: at
// once if the size is known, in time if it is not. The next file is stored.
func TestStore_TooLarge(t *testing.T) {
	const most = maxPagesOfFile * PageBlocks * 512
	r := newRepo(t)
	w, err := r.Begin(BeginOptions{Instance: "PROD"})
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range []FileInfo{{Path: "/known", BlockSize: 512, SizeAtOpen: most + 1}, {Path: "/grows", BlockSize: 512}} {
		_, err := w.Store(t.Context(), info, &holeSource{left: most + 512}, nil)
		if _, ok := errors.AsType[*RepositoryError](err); err == nil || ok {
			t.Errorf("%s: %v, want an error of the file", info.Path, err)
		}
	}
	if _, err := w.Store(t.Context(), FileInfo{Path: "/a"}, &cutSource{data: []byte("x")}, nil); err != nil {
		t.Error(err)
	}
	if _, err := w.Seal(t.Context()); err != nil {
		t.Error(err)
	}
}

// A holeSource is one hole, told of in two parts.
type holeSource struct{ left int64 }

func (s *holeSource) Next([]byte) (int, int64, error) {
	if s.left == 0 {
		return 0, 0, io.EOF
	}
	n := (s.left + 1) / 2
	s.left -= n
	return 0, n, nil
}

// TestResolve_Gone asks for a set that was removed, when there is another one of
// the same second, and for an instance whose name begins another's.
func TestResolve_Gone(t *testing.T) {
	r := newRepo(t)
	now := time.Now()
	var names []SetName
	for range 2 {
		w, err := r.Begin(BeginOptions{Instance: "PRODUCTION", Time: now})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		names = append(names, w.Name())
	}
	if err := os.Remove(r.disk.path("sets/PRODUCTION/" + names[0].Name + sealedSuffix)); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Resolve(names[0].String()); !errors.Is(err, ErrNotFound) {
		t.Errorf("a set that is gone: %v, %v", got, err)
	}
	prod := storeSet(t, r, "PROD", testFile{"/a", 8192, []byte("x")})
	if got, err := r.Resolve("PROD"); err != nil || got != prod.SetName() {
		t.Errorf("PROD = %v, %v, want %v", got, err, prod.SetName())
	}
}

// TestEmptyCatalog tells of a catalog.db without content what any other damage
// of it is told of.
func TestEmptyCatalog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, catalogName), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := openRepo(t, dir).Begin(BeginOptions{Instance: "PROD"}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("begin: %v, want %v", err, ErrCorrupt)
	}
}

// TestConfigFlips flips every bit of the config: the repository opens all the
// same, by the copy, and with the same key.
func TestConfigFlips(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repo")
	if err := initialize(dir, pack.Key{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, configName)
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(good) {
		bad := slices.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(dir, Shared)
		if err != nil {
			t.Fatalf("bit %d: %v", bit, err)
		}
		if r.key != (pack.Key{1, 2, 3}) {
			t.Errorf("bit %d: another key", bit)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
