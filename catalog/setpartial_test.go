package catalog

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path"
	"runtime"
	"slices"
	"testing"
)

// Records of a partial set whose sums are right and whose claims are not: what
// cannot be is damage or left out, and takes no memory that the file does not
// have.
func TestPartialForged(t *testing.T) {
	begin := jsonRecord(t, kindBegin, &SetInfo{Instance: "A"})
	file := func(f FileInfo) []byte { return jsonRecord(t, kindFile, &f) }
	end := func(f FileInfo) []byte { return jsonRecord(t, kindFileEnd, &f) }
	good := FileInfo{Path: "/a", BlockSize: 512, Size: 512, SizeAtOpen: 512}
	with := func(edit func(*FileInfo)) FileInfo { f := good; edit(&f); return f }
	packs := appendRecord(nil, record{kind: kindPacks, raw: 16}, make([]byte, 16))
	one := pageRecord(pageOf(run{1, 0, 7}), 0)
	const damaged = -1
	tests := []struct {
		name    string
		records [][]byte
		files   int // or damaged
	}{
		{"Good", [][]byte{begin, file(good), packs, one, end(good)}, 1},
		{"NoFiles", [][]byte{begin}, 0},
		{"FilesOfBeginning", [][]byte{jsonRecord(t, kindBegin, &SetInfo{Files: []FileInfo{good}})}, 0},
		{"TwoBeginnings", [][]byte{begin, begin}, damaged},
		{"BeginIsNull", [][]byte{jsonRecord(t, kindBegin, "null")}, damaged},
		{"BeginIsNotJSON", [][]byte{jsonRecord(t, kindBegin, "{")}, damaged},
		{"FileBeforeBegin", [][]byte{file(good), begin}, damaged},
		{"FileIsNotJSON", [][]byte{begin, jsonRecord(t, kindFile, "[]")}, damaged},
		{"EndIsNotJSON", [][]byte{begin, file(good), jsonRecord(t, kindFileEnd, "[]")}, damaged},
		{"StateIsNotJSON", [][]byte{begin, jsonRecord(t, kindState, "[]")}, damaged},
		{"PacksNotFromZero", [][]byte{begin, packs, packs}, damaged},
		{"PacksOfOddLength", [][]byte{begin, appendRecord(nil, record{kind: kindPacks, raw: 15}, make([]byte, 15))}, damaged},
		{"PageOfUnknownPack", [][]byte{begin, file(good), one}, damaged},
		{"PageIsNotAPage", [][]byte{begin, file(good), appendRecord(nil, record{kind: kindPage, raw: 1}, []byte{0})}, damaged},
		{"PageNumberTooLarge", [][]byte{begin, file(good), packs, pageRecord(pageOf(run{1, 0, 7}), 1<<24)}, damaged},
		{"PageNumberMuchTooLarge", [][]byte{begin, file(good), packs, pageRecord(pageOf(run{1, 0, 7}), math.MaxUint32)}, damaged},
		{"PageWithoutFile", [][]byte{begin, packs, one}, 0},
		{"EndWithoutFile", [][]byte{begin, end(good)}, 0},
		{"EndAfterDrop", [][]byte{begin, file(good), appendRecord(nil, record{kind: kindDrop}, nil), end(good)}, 0},
		{"BlockSizeZero", [][]byte{begin, file(good), end(with(func(f *FileInfo) { f.BlockSize = 0 }))}, 0},
		{"BlockSizeZeroCutOff", [][]byte{begin, file(with(func(f *FileInfo) { f.BlockSize = 0 }))}, 0},
		{"BlockSizeNegative", [][]byte{begin, file(good), end(with(func(f *FileInfo) { f.BlockSize = -1 }))}, 0},
		{"BlockSizeLarge", [][]byte{begin, file(with(func(f *FileInfo) { f.BlockSize = 65537 })), packs, one}, 0},
		{"SizeNegative", [][]byte{begin, file(good), end(with(func(f *FileInfo) { f.Size = -1 }))}, 0},
		{"SizeLarge", [][]byte{begin, file(good), end(with(func(f *FileInfo) { f.Size = 1 << 62 }))}, 0},
		{"SizeLargest", [][]byte{begin, file(good), end(with(func(f *FileInfo) { f.Size = math.MaxInt64 }))}, 0},
		{"FewerBlocksThanThePage", [][]byte{begin, file(good), packs, pageRecord(pageOf(run{2, 0, 7}), 0), end(good)}, 1},
		{"EmptyFileWithPage", [][]byte{begin, file(good), packs, one, end(with(func(f *FileInfo) { f.Size = 0 }))}, 1},
		{"IndexAndTable", [][]byte{begin, appendRecord(nil, record{kind: kindIndex}, nil), appendRecord(nil, record{kind: kindTable}, nil)}, 0},
		{"Meta", [][]byte{begin, jsonRecord(t, kindMeta, "{")}, 0},
		{"LongRecordCutOff", [][]byte{begin, put32(4, maxRecord)(put32(8, maxRecord)(bytes.Clone(packs)))}, 0},
	}
	open := setOpener(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := slices.Concat(setHeader{}.append(nil), slices.Concat(tt.records...))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			s, err := open(b, "x.partial")
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
				t.Errorf("opening %d bytes took %d bytes of memory", len(b), n)
			}
			if tt.files == damaged {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("open: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.close() }()
			if len(s.info.Files) != tt.files || len(s.pages) != tt.files || s.info.State != StateInterrupted {
				t.Errorf("%d files, %d with pages, %s", len(s.info.Files), len(s.pages), s.info.State)
			}
			readPages(t, s)
		})
	}
}

// A file that was cut off has the size of what there is of it.
func TestPartialCutOff(t *testing.T) {
	const bs = 512
	begin := jsonRecord(t, kindBegin, &SetInfo{Instance: "A"})
	packs := appendRecord(nil, record{kind: kindPacks, raw: 16}, make([]byte, 16))
	full := pageOf(run{PageBlocks, 0, 0})
	tests := []struct {
		name   string
		atOpen int64 // size
		pages  [][]byte
		want   int64
	}{
		{"NoPage", 100, nil, 0},
		{"OnePage", 1 << 40, [][]byte{pageRecord(full, 0)}, PageBlocks * bs},
		{"Interim", 1 << 40, [][]byte{pageRecord(full, 0), pageRecord(pageOf(run{3, 0, 9}), 1)}, (PageBlocks + 3) * bs},
		{"InterimTwice", 1 << 40, [][]byte{pageRecord(pageOf(run{3, 0, 0}), 0), pageRecord(pageOf(run{9, 0, 0}), 0)}, 9 * bs},
		{"InterimThenWhole", 1 << 40, [][]byte{pageRecord(pageOf(run{3, 0, 0}), 0), pageRecord(full, 0)}, PageBlocks * bs},
		{"HolesBefore", 1 << 40, [][]byte{pageRecord(pageOf(run{3, 0, 0}), 5)}, (5*PageBlocks + 3) * bs},
		{"ShortLastBlock", 2*bs + 1, [][]byte{pageRecord(pageOf(run{3, 0, 0}), 0)}, 2*bs + 1},
		{"WholeLastBlock", 3 * bs, [][]byte{pageRecord(pageOf(run{3, 0, 0}), 0)}, 3 * bs},
		{"Grew", 2 * bs, [][]byte{pageRecord(pageOf(run{3, 0, 0}), 0)}, 3 * bs},
		{"SizeUnknown", 0, [][]byte{pageRecord(pageOf(run{3, 0, 0}), 0)}, 3 * bs},
	}
	open := setOpener(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := jsonRecord(t, kindFile, &FileInfo{Path: "/a", BlockSize: bs, SizeAtOpen: tt.atOpen})
			s, err := open(slices.Concat(setHeader{}.append(nil), begin, file, packs, slices.Concat(tt.pages...)), "x.partial")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.close() }()
			if len(s.info.Files) != 1 || s.info.Files[0].Size != tt.want || s.info.Bytes != tt.want {
				t.Fatalf("files are %+v, want one of %d bytes", s.info.Files, tt.want)
			}
			if p := s.info.Problems; len(p) != 1 || !p[0].Fatal || p[0].Path != "/a" {
				t.Errorf("problems are %v", p)
			}
			for n := range pagesOf(tt.want, bs) {
				if _, err := s.page(0, n, uint32(min(PageBlocks, blocksOf(tt.want, bs)-n*PageBlocks))); err != nil {
					t.Error(err)
				}
			}
			if _, err := s.page(0, pagesOf(tt.want, bs), 1); !errors.Is(err, ErrCorrupt) {
				t.Errorf("a page past the end: %v", err)
			}
		})
	}
}

// A partial set file that ends anywhere opens as what came before, or has not
// begun.
func TestPartialTruncated(t *testing.T) {
	b := setBytes(t, false)
	var ends []int // of records
	at := []int{0, 1}
	eachRecord(b, func(offset int, r []byte) {
		ends = append(ends, offset+len(r))
		at = append(at, offset-1, offset, offset+1, offset+recordHeaderSize-1, offset+recordHeaderSize, offset+len(r)-1)
	})
	for i := range 50 {
		at = append(at, i*len(b)/50)
	}
	slices.Sort(at)
	whole := openBytes(t, b, "x.partial")
	if len(ends) < 8 || len(whole.info.Files) != 2 {
		t.Fatalf("a set of %d records and %d files", len(ends), len(whole.info.Files))
	}
	open := setOpener(t)
	files := 0
	for _, n := range append(at, len(b)) {
		s, err := open(b[:n], "x.partial")
		if n < ends[0] {
			if !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%d bytes, no beginning: %v", n, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%d bytes: %v", n, err)
			continue
		}
		if got := len(s.info.Files); got < files {
			t.Errorf("%d bytes: %d files, with one less %d", n, got, files)
		} else {
			files = got
		}
		readPages(t, s)
		checkPrefix(t, s, whole)
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
	if files != 2 {
		t.Errorf("%d files", files)
	}
}

// checkPrefix checks that a set that was cut off is the beginning of the whole.
func checkPrefix(t *testing.T, s, whole *setFile) {
	t.Helper()
	if s.info.State != StateInterrupted || !slices.Equal(s.packs, whole.packs[:len(s.packs)]) {
		t.Errorf("%+v with packs %v", s.info, s.packs)
	}
	for i := range s.info.Files {
		f := &s.info.Files[i]
		if f.Path != whole.info.Files[i].Path || f.Size > whole.info.Files[i].Size {
			t.Errorf("file %d is %+v, of %+v", i, f, whole.info.Files[i])
		}
		for n := range pagesOf(f.Size, f.BlockSize) {
			blocks := uint32(min(PageBlocks, blocksOf(f.Size, f.BlockSize)-n*PageBlocks))
			got, err := s.page(i, n, blocks)
			want, werr := whole.page(i, n, blocks)
			if err != nil || werr != nil || !slices.Equal(got, want) {
				t.Errorf("page %d of file %d: %v, %v", n, i, err, werr)
			}
		}
	}
}

// A backup that was given up in the middle of a file, whose set file then lost
// its end at any place: what can be opened has the first bytes of each file.
func TestPartialPrefix(t *testing.T) {
	const bs = 512
	r := newRepo(t)
	a := testFile{"/a", bs, blocks(5000, bs, 1)}
	clear(a.data[bs*1000 : bs*2000])
	b := testFile{"/b", bs, blocks(20_000, bs, 2)}
	w, err := r.Begin(BeginOptions{Instance: "PROD", Engine: "files"})
	if err != nil {
		t.Fatal(err)
	}
	info := func(f testFile) FileInfo {
		return FileInfo{Path: f.path, Section: SectionDatabases, BlockSize: bs, SizeAtOpen: int64(len(f.data))}
	}
	if _, err := w.Store(t.Context(), info(a), FromReader(bytes.NewReader(a.data)), nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls := 0
	src := &pieceSource{data: b.data, pieces: slices.Repeat([]piece{{n: 1 << 20}}, 100), before: func() {
		if calls++; calls == 8 {
			cancel()
		}
	}}
	_, err = w.Store(ctx, info(b), src, nil)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Store = %v", err)
	}
	if err := w.Abort(err); err != nil {
		t.Fatal(err)
	}

	file := r.disk.path(path.Join(setsName, w.Name().String()+partialSuffix))
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for i := range 60 {
		n := len(whole) * (60 - i) / 60
		if err := os.Truncate(file, int64(n)); err != nil {
			t.Fatal(err)
		}
		got, err := readFiles(r, w.Name())
		if err != nil {
			if !errors.Is(err, ErrNotFound) || n > 1000 {
				t.Errorf("%d of %d bytes: %v", n, len(whole), err)
			}
			continue
		}
		if !bytes.HasPrefix(a.data, got["/a"]) || !bytes.HasPrefix(b.data, got["/b"]) {
			t.Errorf("%d of %d bytes: %d and %d bytes that are not the files' first", n, len(whole), len(got["/a"]), len(got["/b"]))
		}
		most = max(most, len(got["/b"]))
		if i == 0 && !bytes.Equal(got["/a"], a.data) {
			t.Errorf("the file that was complete has %d bytes", len(got["/a"]))
		}
	}
	if most < 4<<20 {
		t.Errorf("only %d bytes of the file that was cut off are there", most)
	}
}
