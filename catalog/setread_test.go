package catalog

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"datfs/catalog/pack"
)

// openBytes opens a set file that holds b. The ending of its name says whether
// it is sealed.
func openBytes(tb testing.TB, b []byte, name string) *setFile {
	tb.Helper()
	s, err := setOpener(tb)(b, name)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.close() })
	return s
}

// setOpener returns a function that does what openBytes does, many times.
func setOpener(tb testing.TB) func(b []byte, name string) (*setFile, error) {
	tb.Helper()
	dir := tb.TempDir()
	dec, err := pack.NewDecompressor()
	if err != nil {
		tb.Fatal(err)
	}
	return func(b []byte, name string) (*setFile, error) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return nil, err
		}
		return openSetFile(dir, name, dec)
	}
}

// checkInfoEqual compares all that is on disk of two sets.
func checkInfoEqual(t *testing.T, got, want *SetInfo) {
	t.Helper()
	a, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("set is\n%s\nwant\n%s", a, b)
	}
}

// setBytes returns a set file of few bytes: one file of two pages, of which the
// first is compressed, and one file of a hole. It is sealed if seal is set.
func setBytes(tb testing.TB, seal bool) []byte {
	tb.Helper()
	d := &disk{dir: tb.TempDir()}
	f, err := d.create("x.partial")
	if err != nil {
		tb.Fatal(err)
	}
	comp, err := pack.NewCompressor(pack.CodecZstd)
	if err != nil {
		tb.Fatal(err)
	}
	l := &setLog{disk: d, partial: "x.partial", f: f, w: bufio.NewWriter(f), comp: comp, id: pack.ID{1}, known: map[pack.ID]uint32{}}
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	info := &SetInfo{Instance: "A", Name: "2026-11-22T03-00-00Z", Time: time.Unix(0, 0).UTC(), State: StateComplete, Files: []FileInfo{}}
	l.write(setHeader{id: l.id}.append(nil))
	check(l.writeJSON(kindBegin, 0, info))
	files := []struct {
		info  FileInfo
		pages []page
	}{
		{FileInfo{Path: "/a", BlockSize: 512, Size: 512*PageBlocks + 99}, []page{
			everyBlock(func(i uint32) uint32 { return i / 2 % 2 }, func(i uint32) uint32 { return i / 100 }), pageOf(run{1, 0, 9}),
		}},
		{FileInfo{Path: "/b", BlockSize: 8192, Size: 8192}, []page{pageOf(run{1, hole, 0})}},
	}
	for i, file := range files {
		file.info.SizeAtOpen = file.info.Size
		check(l.file(uint32(i), &file.info))
		l.packIndex(pack.ID{byte(10 * i)})
		l.packIndex(pack.ID{byte(10*i + 1)})
		for _, p := range file.pages {
			l.page(uint32(i), p)
		}
		check(l.fileEnd(uint32(i), &file.info))
		info.Files = append(info.Files, file.info)
	}
	name := l.partial
	if seal {
		name = "x.set"
		check(l.finish(info, name))
	} else {
		check(l.abandon(Problem{Error: "why"}))
	}
	b, err := os.ReadFile(d.path(name))
	check(err)
	return b
}

// eachRecord calls fn with every record of a set file, as far as their lengths
// make sense, and its offset.
func eachRecord(b []byte, fn func(offset int, record []byte)) {
	for at := setHeaderSize; at+recordHeaderSize <= len(b); {
		n := uint64(binary.LittleEndian.Uint32(b[at+4:])) + recordHeaderSize
		if n > uint64(len(b)-at) {
			return
		}
		fn(at, b[at:][:n])
		at += int(n)
	}
}

// sumSet puts the sums in a set file right.
func sumSet(b []byte, sealed bool) {
	if len(b) >= setHeaderSize {
		binary.LittleEndian.PutUint64(b[56:], pack.Sum64(b[:56]))
	}
	if sealed && len(b) >= setHeaderSize+setFooterSize {
		foot := b[len(b)-setFooterSize:]
		binary.LittleEndian.PutUint64(foot[48:], pack.Sum64(foot[:48]))
		b = b[:len(b)-setFooterSize]
	}
	eachRecord(b, func(_ int, r []byte) { sumRecord(r) })
}

func FuzzOpenSealed(f *testing.F) { fuzzOpen(f, true, "x"+sealedSuffix) }

func FuzzOpenPartial(f *testing.F) { fuzzOpen(f, false, "x"+partialSuffix) }

// fuzzOpen opens arbitrary bytes as a set file. It is damaged, or a set all of
// whose pages can be asked for.
func fuzzOpen(f *testing.F, sealed bool, name string) {
	f.Helper()
	f.Add(setBytes(f, sealed), true)
	f.Add(setBytes(f, sealed), false)
	f.Add([]byte(setHeaderMagic), true)
	open := setOpener(f)
	f.Fuzz(func(t *testing.T, b []byte, sum bool) {
		if sum {
			b = bytes.Clone(b)
			sumSet(b, sealed)
		}
		s, err := open(b, name)
		if err != nil {
			notBegun := !sealed && errors.Is(err, os.ErrNotExist)
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerFormat) && !notBegun {
				t.Errorf("open: %v", err)
			}
			return
		}
		defer func() { _ = s.close() }()
		readPages(t, s)
	})
}

// readPages reads the pages of all files, up to some hundred of each.
func readPages(t *testing.T, s *setFile) {
	t.Helper()
	for i := range s.info.Files {
		info := &s.info.Files[i]
		total := blocksOf(info.Size, info.BlockSize)
		for n := int64(0); n*PageBlocks < total && n < 300; n++ {
			blocks := uint32(min(PageBlocks, total-n*PageBlocks))
			p, err := s.page(i, n, blocks)
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Errorf("page %d of file %d: %v", n, i, err)
			}
			if err == nil && p.blocks() != blocks {
				t.Errorf("page %d of file %d covers %d blocks, not %d", n, i, p.blocks(), blocks)
			}
		}
	}
}

// jsonRecord returns a record whose payload is v as JSON, or the text v.
func jsonRecord(tb testing.TB, kind byte, v any) []byte {
	tb.Helper()
	b, ok := v.(string)
	if !ok {
		enc, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		b = string(enc)
	}
	return appendRecord(nil, record{kind: kind, raw: uint32(len(b))}, []byte(b))
}

// pageRecord returns the record of a page of file 0.
func pageRecord(p page, number uint32) []byte {
	b := p.encode(nil)
	return appendRecord(nil, record{kind: kindPage, raw: uint32(len(b)), number: number}, b)
}

// Records of a sealed set whose sums are right and whose claims are not: no
// writer leaves them, and no reader may fall over them.
func TestSealedForged(t *testing.T) {
	const metaOnly = -1 // the damage shows when the set is opened
	good := FileInfo{Path: "/a", BlockSize: 512, Size: 2 * 512 * PageBlocks}
	with := func(edit func(*FileInfo)) *SetInfo { f := good; edit(&f); return &SetInfo{Files: []FileInfo{f}} }
	set := with(func(*FileInfo) {})
	one := pageOf(run{PageBlocks, 0, 0}).encode(nil)
	other := func(kind byte, file uint32) []byte {
		return appendRecord(nil, record{kind: kind, raw: uint32(len(one)), file: file, number: 1}, one)
	}
	pages := slices.Concat(pageRecord(pageOf(run{PageBlocks, 0, 0}), 0), other(kindPage, 0), other(kindIndex, 0), other(kindPage, 1))
	n := uint32(len(pages) / 4)
	at, others := int64(setHeaderSize), int64(setHeaderSize)+2*int64(n)
	const indexSize = recordHeaderSize + 2*indexEntrySize // of two pages
	places := []pagePlace{{at, n}, {at + int64(n), n}}
	index := at + int64(len(pages))
	tests := []struct {
		name   string
		places []pagePlace
		meta   any
		page   int // the first that cannot be read
	}{
		{"Good", places, metaRecord{set, []int64{index}}, 2},
		{"MetaOfAnotherKind", places, metaRecord{set, []int64{index}}, metaOnly},
		{"NoSet", places, metaRecord{nil, nil}, metaOnly},
		{"NoIndex", places, metaRecord{set, nil}, metaOnly},
		{"NotJSON", places, "{", metaOnly},
		{"Null", places, "null", metaOnly},
		{"BlockSizeZero", places, metaRecord{with(func(f *FileInfo) { f.BlockSize = 0 }), []int64{index}}, metaOnly},
		{"BlockSizeNegative", places, metaRecord{with(func(f *FileInfo) { f.BlockSize = -512 }), []int64{index}}, metaOnly},
		{"BlockSizeLarge", places, metaRecord{with(func(f *FileInfo) { f.BlockSize = 65537 }), []int64{index}}, metaOnly},
		{"SizeNegative", places, metaRecord{with(func(f *FileInfo) { f.Size = -1 }), []int64{index}}, metaOnly},
		{"SizeLarge", places, metaRecord{with(func(f *FileInfo) { f.Size = math.MaxInt64 }), []int64{index}}, metaOnly},
		{"MoreBlocksThanPages", places, metaRecord{with(func(f *FileInfo) { f.Size *= 1000 }), []int64{index}}, 2},
		{"FewerBlocks", places, metaRecord{with(func(f *FileInfo) { f.Size--; f.Size -= 512 }), []int64{index}}, 1},
		{"IndexNegative", places, metaRecord{set, []int64{-1}}, 0},
		{"IndexPastTheEnd", places, metaRecord{set, []int64{1 << 40}}, 0},
		{"IndexLarge", places, metaRecord{set, []int64{math.MaxInt64}}, 0},
		{"IndexIsPage", places, metaRecord{set, []int64{at}}, 0},
		{"PlaceNegative", []pagePlace{places[0], {-1, n}}, metaRecord{set, []int64{index}}, 1},
		{"PlacePastTheEnd", []pagePlace{places[0], {1 << 40, n}}, metaRecord{set, []int64{index}}, 1},
		{"PlaceShort", []pagePlace{places[0], {at, 31}}, metaRecord{set, []int64{index}}, 1},
		{"PlaceLong", []pagePlace{places[0], {at, math.MaxUint32}}, metaRecord{set, []int64{index}}, 1},
		{"PlaceZeroLength", []pagePlace{places[0], {at, 0}}, metaRecord{set, []int64{index}}, 1},
		{"PlaceOfAnotherPage", []pagePlace{places[0], places[0]}, metaRecord{set, []int64{index}}, 1},
		{"PlaceOfAnotherKind", []pagePlace{places[0], {index, recordHeaderSize + 2*indexEntrySize}}, metaRecord{set, []int64{index}}, 1},
		{"PlaceWithoutLength", []pagePlace{places[0], {at + int64(n), 0}}, metaRecord{set, []int64{index}}, 1},
		{"PageOfAnotherKind", []pagePlace{places[0], {others, n}}, metaRecord{set, []int64{index}}, 1},
		{"PageOfAnotherFile", []pagePlace{places[0], {others + int64(n), n}}, metaRecord{set, []int64{index}}, 1},
		{"IndexOfAnotherKind", places, metaRecord{set, []int64{index + 1*indexSize}}, 0},
		{"IndexOfAnotherFile", places, metaRecord{set, []int64{index + 2*indexSize}}, 0},
		{"IndexOfAnotherGroup", places, metaRecord{set, []int64{index + 3*indexSize}}, 0},
		{"PlaceMissing", places[:1], metaRecord{set, []int64{index}}, 1},
	}
	open := setOpener(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := append(setHeader{}.append(nil), pages...)
			var entries []byte
			for _, p := range tt.places {
				entries = binary.LittleEndian.AppendUint64(entries, uint64(p.offset))
				entries = binary.LittleEndian.AppendUint32(entries, p.length)
			}
			for _, r := range []record{{kind: kindIndex}, {kind: kindPage}, {kind: kindIndex, file: 1}, {kind: kindIndex, number: 1}} {
				r.raw = uint32(len(entries))
				b = appendRecord(b, r, entries)
			}
			footer := setFooter{table: int64(len(b))}
			b = appendRecord(b, record{kind: kindTable, raw: 16}, make([]byte, 16))
			footer.meta = int64(len(b))
			kind := byte(kindMeta)
			if tt.name == "MetaOfAnotherKind" {
				kind = kindBegin
			}
			b = footer.append(append(b, jsonRecord(t, kind, tt.meta)...))
			s, err := open(b, "x.set")
			if tt.page == metaOnly {
				if e, ok := errors.AsType[*CorruptError](err); !ok || e.Offset != footer.meta {
					t.Errorf("open: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.close() }()
			readPages(t, s)
			for i := range tt.page + 1 {
				want := pageOf(run{PageBlocks, 0, 0})
				got, err := s.page(0, int64(i), uint32(min(PageBlocks, blocksOf(s.info.Files[0].Size, 512)-int64(i*PageBlocks))))
				if i < tt.page && (err != nil || !slices.Equal(got, want)) || i == tt.page && !errors.Is(err, ErrCorrupt) {
					t.Errorf("page %d is %v, %v", i, got, err)
				}
			}
		})
	}
}

func TestPagesOf(t *testing.T) {
	tests := []struct {
		size          int64
		blockSize     int32
		blocks, pages int64
	}{
		{0, 8192, 0, 0},
		{1, 8192, 1, 1},
		{8192, 8192, 1, 1},
		{8193, 8192, 2, 1},
		{PageBlocks * 8192, 8192, PageBlocks, 1},
		{PageBlocks*8192 + 1, 8192, PageBlocks + 1, 2},
		{2 * PageBlocks, 1, 2 * PageBlocks, 2},
		{maxFileSize, 65536, 1<<47 - 1, 1 << 35},
		{maxFileSize, 1, maxFileSize, (maxFileSize + PageBlocks - 1) / PageBlocks},
	}
	for _, tt := range tests {
		if b, p := blocksOf(tt.size, tt.blockSize), pagesOf(tt.size, tt.blockSize); b != tt.blocks || p != tt.pages {
			t.Errorf("%d bytes in blocks of %d are %d blocks, %d pages, want %d, %d", tt.size, tt.blockSize, b, p, tt.blocks, tt.pages)
		}
	}
}

// The parts that a sealed set's footer points to are what they should be.
func TestSealedFooterPlaces(t *testing.T) {
	good := setBytes(t, true)
	footer, err := parseSetFooter(good[len(good)-setFooterSize:], int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		edit func(f *setFooter)
	}{
		{"MetaIsTable", func(f *setFooter) { f.meta = f.table }},
		{"TableIsMeta", func(f *setFooter) { f.table = f.meta }},
		{"MetaIsBegin", func(f *setFooter) { f.meta = setHeaderSize }},
		{"TableIsBegin", func(f *setFooter) { f.table = setHeaderSize }},
		{"MetaIsNoRecord", func(f *setFooter) { f.meta++ }},
		{"TableIsNoRecord", func(f *setFooter) { f.table-- }},
		{"OtherSet", func(f *setFooter) { f.id[0]++ }},
	}
	open := setOpener(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := footer
			tt.edit(&f)
			b := f.append(bytes.Clone(good[:len(good)-setFooterSize]))
			if _, err := open(b, "x.set"); !errors.Is(err, ErrCorrupt) {
				t.Errorf("open: %v", err)
			}
		})
	}
}

// readFiles reads a whole set into memory, by path.
func readFiles(r *Repository, name SetName) (map[string][]byte, error) {
	s, err := r.OpenSet(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	out := map[string][]byte{}
	for i := range s.Info().Files {
		f := s.File(i)
		b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Info().Size+1))
		if err != nil {
			return nil, err
		}
		out[f.Info().Path] = b
	}
	return out, nil
}

// twoPacks makes a repository of two sets with a file in a pack each.
func twoPacks(t *testing.T) (dir string, sets [2]*SetInfo, files [2]testFile) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "repo")
	if err := Init(dir); err != nil {
		t.Fatal(err)
	}
	r := openRepo(t, dir)
	text := bytes.Repeat([]byte("0123456789abcdef"), 64)
	for i := range files {
		data := slices.Concat(text[i:][:512], noiseBlocks(3, 512, uint64(i)), make([]byte, 512), text[i+2:][:100])
		files[i] = testFile{"/f" + strconv.Itoa(i), 512, data}
		sets[i] = storeSet(t, r, "I"+strconv.Itoa(i), files[i])
	}
	return dir, sets, files
}

// noiseBlocks returns blocks that do not compress.
func noiseBlocks(n, blockSize int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n*blockSize)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// writable makes a sealed file of a test's repository one that can be damaged.
func writable(t *testing.T, file string) []byte {
	t.Helper()
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// flips are what is done to a byte: one bit, the other end, all of it.
var flips = []byte{0x01, 0x80, 0xff}

// Whichever byte of a sealed set's file is flipped, the set has the same bytes
// as before or is damaged.
func TestSetFlips(t *testing.T) {
	dir, sets, files := twoPacks(t)
	r := openRepo(t, dir)
	name := sets[0].SetName()
	file := filepath.Join(dir, setsName, name.String()+sealedSuffix)
	b := writable(t, file)
	damaged := 0
	for i := range b {
		for _, flip := range flips {
			b[i] ^= flip
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readFiles(r, name)
			switch {
			case err != nil:
				damaged++
				e, ok := errors.AsType[*CorruptError](err)
				if !ok || e.Path != setsName+"/"+name.String()+sealedSuffix || e.Offset > int64(i) {
					t.Errorf("byte %d flipped: %v", i, err)
				}
			case len(got) != 1 || !bytes.Equal(got[files[0].path], files[0].data):
				t.Errorf("byte %d flipped: other bytes", i)
			}
			b[i] ^= flip
		}
	}
	if damaged < len(b) { // of 3 flips a byte; what is only for partial sets has no effect
		t.Errorf("%d flips of %d bytes did harm", damaged, len(b))
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	readBack(t, r, name, files[0])
}

// Whichever byte of a pack is flipped, reading what it holds is an error that
// says where, other packs are not affected, and Verify finds it.
func TestPackFlips(t *testing.T) {
	dir, sets, files := twoPacks(t)
	s, err := openRepo(t, dir).OpenSet(sets[0].SetName())
	if err != nil {
		t.Fatal(err)
	}
	id := s.file.packs[0]
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, packPath(id))
	b := writable(t, file)
	for i := range b {
		flip := flips[i%len(flips)]
		b[i] ^= flip
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(dir, Shared) // anew: the last one has the pack in its caches
		if err != nil {
			t.Fatal(err)
		}
		_, err = readFiles(r, sets[0].SetName())
		if e, ok := errors.AsType[*CorruptError](err); !ok || e.Path != packPath(id) || e.Offset > int64(i) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
		if i%8 == 0 {
			checkOneDamaged(t, r, id, sets[1].SetName(), files[1])
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		b[i] ^= flip
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	checkClean(t, dir)
}

// checkOneDamaged checks that Verify finds the pack damaged and that a set in
// another pack is good.
func checkOneDamaged(t *testing.T, r *Repository, id pack.ID, good SetName, file testFile) {
	t.Helper()
	readBack(t, r, good, file)
	found := false
	err := r.Verify(t.Context(), VerifyOptions{}, func(d Damage) {
		e, ok := errors.AsType[*CorruptError](d.Err)
		found = found || ok && e.Path == packPath(id)
		if d.Set == good {
			t.Errorf("the other set is damaged: %v", d.Err)
		}
	})
	if err != nil || !found {
		t.Errorf("Verify found the pack: %v, %v", found, err)
	}
}

// Whichever byte of catalog.db is flipped, sets can be read, and a backup stores
// the right bytes or says that the catalog is damaged.
func TestCatalogFlips(t *testing.T) {
	dir, sets, files := twoPacks(t)
	db, err := os.ReadFile(filepath.Join(dir, catalogName))
	if err != nil {
		t.Fatal(err)
	}
	next := testFile{files[0].path, 512, slices.Concat(files[0].data[:1024], noiseBlocks(1, 512, 9), files[1].data)}
	damaged, tried, filled := 0, 0, 0
	for i, v := range db {
		if v != 0 {
			filled++
		}
		if (v == 0 || filled%7 != 0) && i%509 != 0 { // most of the file is empty
			continue
		}
		tried++
		work := filepath.Join(t.TempDir(), "repo")
		if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		b := bytes.Clone(db)
		b[i] ^= flips[tried%len(flips)]
		if err := os.WriteFile(filepath.Join(work, catalogName), b, 0o600); err != nil {
			t.Fatal(err)
		}
		r := openRepo(t, work)
		info, err := tryStore(t, r, next)
		if err != nil {
			damaged++
			if e, ok := errors.AsType[*CorruptError](err); !ok || e.Path != catalogName {
				t.Errorf("byte %d flipped: %v", i, err)
			}
		} else {
			readBack(t, r, info.SetName(), next)
		}
		for k := range sets {
			readBack(t, r, sets[k].SetName(), files[k])
		}
	}
	t.Logf("%d of %d flips kept a backup from being stored", damaged, tried)
	if damaged == 0 || damaged == tried {
		t.Error("that proves nothing")
	}
}

// tryStore stores a set that may fail.
func tryStore(t *testing.T, r *Repository, f testFile) (*SetInfo, error) {
	t.Helper()
	w, err := r.Begin(BeginOptions{Instance: "I0", Engine: "files"})
	if err != nil {
		return nil, err
	}
	info := FileInfo{Path: f.path, Section: SectionDatabases, BlockSize: f.blockSize}
	if _, err := w.Store(t.Context(), info, FromReader(bytes.NewReader(f.data)), nil); err != nil {
		if aerr := w.Abort(err); aerr != nil {
			t.Errorf("abort: %v", aerr)
		}
		return nil, err
	}
	return w.Seal(t.Context())
}
