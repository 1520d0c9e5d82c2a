package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"datfs/catalog/pack"
)

// newRepo makes a repository and opens it. It is verified when the test ends.
// Its key is always the same, and so are the blocks that are hooks.
func newRepo(tb testing.TB) *Repository {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "repo")
	if err := initialize(dir, pack.Key{1, 2, 3}); err != nil {
		tb.Fatal(err)
	}
	r := openRepo(tb, dir)
	tb.Cleanup(func() { checkClean(tb, dir) })
	return r
}

func openRepo(tb testing.TB, dir string) *Repository {
	tb.Helper()
	r, err := Open(dir, Shared)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = r.Close() })
	return r
}

// checkClean fails the test for every piece of damage that Verify finds.
func checkClean(tb testing.TB, dir string) {
	tb.Helper()
	r, err := Open(dir, Shared)
	if err != nil {
		tb.Error(err)
		return
	}
	defer func() { _ = r.Close() }()
	err = r.Verify(context.Background(), VerifyOptions{}, func(d Damage) {
		tb.Errorf("damage: set %v file %q: %v", d.Set, d.Path, d.Err)
	})
	if err != nil {
		tb.Error(err)
	}
}

// A testFile is a file to store.
type testFile struct {
	path      string
	blockSize int32
	data      []byte
}

// storeSet stores and seals a set.
func storeSet(tb testing.TB, r *Repository, instance string, files ...testFile) *SetInfo {
	tb.Helper()
	w, err := r.Begin(BeginOptions{Instance: instance, Engine: "files"})
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range files {
		info := FileInfo{Path: f.path, Section: SectionDatabases, Database: "DB", BlockSize: f.blockSize, Mode: 0o640, ModTime: time.Unix(1, 0)}
		if _, err := w.Store(tb.Context(), info, FromReader(bytes.NewReader(f.data)), nil); err != nil {
			tb.Fatal(err)
		}
	}
	info, err := w.Seal(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return info
}

// readBack compares the files of a set with what was stored.
func readBack(tb testing.TB, r *Repository, name SetName, files ...testFile) {
	tb.Helper()
	s, err := r.OpenSet(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if len(s.Info().Files) != len(files) {
		tb.Fatalf("%v has %d files, want %d", name, len(s.Info().Files), len(files))
	}
	for i, want := range files {
		f := s.File(i)
		got, err := io.ReadAll(io.NewSectionReader(f.Reader(), 0, f.Info().Size+10))
		if err != nil {
			tb.Fatalf("read %s: %v", want.path, err)
		}
		if f.Info().Path != want.path || !bytes.Equal(got, want.data) {
			tb.Errorf("%s: read %d bytes that differ from the %d stored of %s", f.Info().Path, len(got), len(want.data), want.path)
		}
	}
}

// blocks returns n half compressible blocks that only the seed makes.
func blocks(n, blockSize int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n*blockSize)
	for i := 0; i < len(b); i += 16 {
		copy(b[i:min(i+16, len(b))], fmt.Sprintf("%08x--------", rng.Uint32()))
	}
	return b
}

func TestStoreAndRead(t *testing.T) {
	sparse := blocks(300, 8192, 3)
	clear(sparse[40*8192 : 200*8192])
	tests := []testFile{
		{"/empty", 0, nil},
		{"/one", 8192, []byte{1}},
		{"/zero", 8192, make([]byte, 100_000)},
		{"/odd", 8192, blocks(100, 8192, 1)[:700_001]},
		{"/block", 8192, blocks(1, 8192, 2)},
		{"/sparse", 8192, sparse},
		{"/other", 0, blocks(50, 65536, 4)[:3_000_000]},
		{"/small blocks", 512, blocks(20_000, 512, 5)},
		{"/gtm", 65024, blocks(70, 65024, 6)},
		{"/long", 8192, blocks(9000, 8192, 8)},
		{"/not \xff utf-8", 8192, []byte("x")},
	}
	r := newRepo(t)
	info := storeSet(t, r, "PROD", tests...)
	if info.State != StateComplete {
		t.Errorf("state = %v", info.State)
	}
	readBack(t, r, info.SetName(), tests...)

	again := storeSet(t, r, "PROD", tests...)
	if again.NewBytes != 0 || again.StoredBytes != 0 {
		t.Errorf("stored again: %d new bytes, %d stored", again.NewBytes, again.StoredBytes)
	}
	readBack(t, r, again.SetName(), tests...)
	got, err := r.Resolve("PROD/latest")
	if err != nil || got != again.SetName() {
		t.Errorf("latest = %v, %v, want %v", got, err, again.SetName())
	}
	if _, err := r.Resolve("PROD/2"); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("prefix of two sets: %v", err)
	}
}

// TestDedup stores the same blocks in places where each of the ways to find
// them is the only one. Where only hooks help, a run of blocks may be missed
// before the first of them, 1 in 64: that one comes later than after 1,000
// blocks has a chance of 1 in 7 million.
func TestDedup(t *testing.T) {
	const bs, seam = 8192, 1000 * 8192
	data := blocks(4000, bs, 1)
	tests := []struct {
		name  string
		file  testFile
		most  int64 // new bytes
		other int64 // new bytes when another instance stores the file once more
	}{
		{"SamePlace", testFile{"/a", bs, data}, 0, seam},
		{"OtherPath", testFile{"/b", bs, data}, seam, seam},
		{"Shifted", testFile{"/a", bs, append(blocks(3, bs, 2), data...)}, seam, seam},
		{"Reversed", testFile{"/c", bs, append(bytes.Clone(data[2000*bs:]), data[:2000*bs]...)}, 2 * seam, 2 * seam},
		{"WithinItself", testFile{"/d", bs, bytes.Repeat(blocks(5, bs, 3), 20)}, 5 * bs, 5 * bs},
		{"Every10th", testFile{"/a", bs, everyTenth(data, bs)}, 400 * bs, 400*bs + seam},
	}
	for i, tt := range tests {
		if testing.Short() && i%3 != 0 {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			r := newRepo(t)
			storeSet(t, r, "PROD", testFile{"/a", bs, data})
			info := storeSet(t, r, "PROD", tt.file)
			if info.NewBytes > tt.most {
				t.Errorf("%d new bytes, want at most %d", info.NewBytes, tt.most)
			}
			readBack(t, r, info.SetName(), tt.file)
			other := storeSet(t, r, "TEST", tt.file)
			if other.NewBytes > tt.other {
				t.Errorf("%d new bytes of another instance, want at most %d", other.NewBytes, tt.other)
			}
			readBack(t, r, other.SetName(), tt.file)
		})
	}
}

// everyTenth returns data with every tenth block changed.
func everyTenth(data []byte, bs int) []byte {
	data = bytes.Clone(data)
	for i := 0; i < len(data); i += 10 * bs {
		copy(data[i:], fmt.Sprint("changed", i))
	}
	return data
}
