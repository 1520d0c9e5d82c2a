package catalog

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog/pack"
)

// update writes the golden set file anew instead of comparing with it. A golden
// test that fails means that sets which users have can no longer be read, or
// that an older datfs cannot read what this one writes: a bug, unless the
// format's version was raised in the same change. A new field of SetInfo or
// FileInfo is no reason: it is left out where it has no value.
var update = flag.Bool("update", false, "write golden files anew")

const goldenSet = "testdata/set_v1.golden"

// An edit makes valid bytes invalid.
type edit func(b []byte) []byte

func put32(at int, v uint32) edit {
	return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
}

func put64(at int, v int64) edit {
	return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[at:], uint64(v)); return b }
}

func putByte(at int, v byte) edit {
	return func(b []byte) []byte { b[at] = v; return b }
}

// summed makes an edit and puts the sum of the bytes before it at an offset, so
// that what rejects the bytes is not the sum.
func summed(at int, e edit) edit {
	return func(b []byte) []byte {
		b = e(b)
		binary.LittleEndian.PutUint64(b[at:], pack.Sum64(b[:at]))
		return b
	}
}

func TestParseSetHeader(t *testing.T) {
	want := setHeader{id: [16]byte{1, 15: 2}}
	valid := want.append([]byte("before"))[6:]
	if got, err := parseSetHeader(valid); err != nil || got != want || len(valid) != setHeaderSize {
		t.Fatalf("header of %d bytes is %v, %v", len(valid), got, err)
	}
	tests := []struct {
		name  string
		edit  edit
		newer bool
	}{
		{"Short", func(b []byte) []byte { return b[:63] }, false},
		{"Magic", summed(56, putByte(7, 't')), false},
		{"Sum", putByte(56, valid[56]^1), false},
		{"ID", putByte(16, 9), false},
		{"Version", summed(56, put32(8, 2)), true},
		{"VersionUnsummed", put32(8, 2), false},
		{"VersionZero", summed(56, put32(8, 0)), false},
		{"Flags", summed(56, put32(12, 1)), true},
		{"KeyID", summed(56, putByte(47, 1)), true},
		{"Reserved", summed(56, putByte(55, 1)), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseSetHeader(tt.edit(bytes.Clone(valid)))
			if !errors.Is(err, errSetFile) || errors.Is(err, ErrNewerFormat) != tt.newer {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestParseSetFooter(t *testing.T) {
	const size = 10_000
	want := setFooter{meta: 5000, table: 4000, id: [16]byte{1, 15: 2}}
	valid := want.append([]byte("before"))[6:]
	if got, err := parseSetFooter(valid, size); err != nil || got != want || len(valid) != setFooterSize {
		t.Fatalf("footer of %d bytes is %v, %v", len(valid), got, err)
	}
	const last = size - setFooterSize - recordHeaderSize // where a record may begin
	tests := []struct {
		name  string
		edit  edit
		ok    bool
		newer bool
	}{
		{"Short", func(b []byte) []byte { return b[:63] }, false, false},
		{"Long", func(b []byte) []byte { return append(b, 0) }, false, false},
		{"Magic", putByte(63, 'd'), false, false},
		{"Sum", putByte(48, valid[48]^1), false, false},
		{"Version", summed(48, put32(40, 2)), false, true},
		{"VersionUnsummed", put32(40, 2), false, false},
		{"VersionZero", summed(48, put32(40, 0)), false, false},
		{"Reserved", summed(48, putByte(32, 1)), false, false},
		{"ReservedLater", summed(48, putByte(47, 1)), false, false},
		{"MetaFirst", summed(48, put64(0, setHeaderSize)), true, false},
		{"MetaInHeader", summed(48, put64(0, setHeaderSize-1)), false, false},
		{"MetaNegative", summed(48, put64(0, -1)), false, false},
		{"MetaLast", summed(48, put64(0, last)), true, false},
		{"MetaInFooter", summed(48, put64(0, last+1)), false, false},
		{"TableFirst", summed(48, put64(8, setHeaderSize)), true, false},
		{"TableInHeader", summed(48, put64(8, setHeaderSize-1)), false, false},
		{"TableNegative", summed(48, put64(8, math.MinInt64)), false, false},
		{"TableLast", summed(48, put64(8, last)), true, false},
		{"TableInFooter", summed(48, put64(8, last+1)), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseSetFooter(tt.edit(bytes.Clone(valid)), size)
			if tt.ok && err == nil {
				return
			}
			if tt.ok || !errors.Is(err, errSetFile) || errors.Is(err, ErrNewerFormat) != tt.newer {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// sumRecord puts the sum of a whole record right.
func sumRecord(b []byte) []byte {
	binary.LittleEndian.PutUint64(b[24:], recordSum(b, b[recordHeaderSize:]))
	return b
}

func TestCheckRecord(t *testing.T) {
	payload := []byte("payload")
	want := record{kind: kindPage, codec: byte(pack.CodecZstd), stored: 7, raw: 100, file: 3, number: 4}
	valid := appendRecord([]byte("before"), want, payload)[6:]
	want.sum = binary.LittleEndian.Uint64(valid[24:])
	got, stored, err := checkRecord(valid)
	if err != nil || got != want || !bytes.Equal(stored, payload) || got.size() != int64(len(valid)) {
		t.Fatalf("record is %+v, %q, %v", got, stored, err)
	}
	tests := []struct {
		name string
		edit edit
		want string
	}{
		{"Empty", func(b []byte) []byte { return b[:0] }, "header of 0 bytes"},
		{"Short", func(b []byte) []byte { return b[:31] }, "header of 31 bytes"},
		{"Payload", putByte(32, 'P'), "sum mismatch"},
		{"Header", putByte(12, 9), "sum mismatch"},
		{"Sum", putByte(24, valid[24]^1), "sum mismatch"},
		{"PayloadCut", func(b []byte) []byte { return b[:38] }, "38 bytes, not 39"},
		{"PayloadLonger", func(b []byte) []byte { return append(b, 0) }, "40 bytes, not 39"},
		{"KindZero", putByte(0, 0), "header"},
		{"KindUnknown", putByte(0, kindStep+1), "header"},
		{"Codec", putByte(1, 2), "header"},
		{"Reserved2", putByte(2, 1), "header"},
		{"Reserved3", putByte(3, 1), "header"},
		{"Reserved20", putByte(23, 1), "header"},
		{"StoredLongerThanRaw", put32(8, 6), "header"},
		{"ZstdThatDoesNotPay", put32(8, 7), "header"},
		{"RawThatIsShorter", putByte(1, byte(pack.CodecRaw)), "header"},
		{"TooLong", func(b []byte) []byte { return put32(8, maxRecord+2)(put32(4, maxRecord+1)(b)) }, "header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.edit(bytes.Clone(valid))
			if tt.want == "header" {
				b = sumRecord(b)
			}
			if _, _, err := checkRecord(b); !errors.Is(err, errSetFile) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want %q", err, tt.want)
			}
		})
	}
}

// goldenPages are the pages of the golden set's file: more than one group of an
// index has, nearly all of zero blocks.
func goldenPages() []page {
	pages := slices.Repeat([]page{pageOf(run{PageBlocks, hole, 0})}, indexGroup+2)
	pages[0] = pageOf(run{10, 0, 5}, run{PageBlocks - 10, 1, 0})
	pages[1] = pageOf(run{1, 1, 7}, run{5, hole, 0}, run{PageBlocks - 6, 1, 8})
	pages[indexGroup] = pageOf(run{PageBlocks, 2, 1 << 20})
	pages[indexGroup+1] = pageOf(run{100, 0, 15})
	return pages
}

// goldenInfo returns a set and its file with every field that is on disk.
func goldenInfo() (*SetInfo, *FileInfo) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	size := int64((indexGroup+1)*PageBlocks+100)*8192 - 1
	file := &FileInfo{
		Path: "/data/user/IRIS.DAT", Section: SectionDatabases, Database: "USER", Size: size, Mode: 0o640, UID: 51, GID: 52, ModTime: at,
		BlockSize: 8192, Format: "iris", SizeAtOpen: size, SizeAtEnd: size + 8192, XXH64: "0123456789abcdef",
		Label: &Label{Directory: "/data/user/", Resource: "%DB_USER", Blocks: 1000, BlockSize: 8192}, ZeroBytes: 8192, NewBytes: 81920, StoredBytes: 40000,
	}
	set := &SetInfo{
		Instance: "PROD", Name: "2026-11-22T03-00-00Z", Time: at, Finished: at.Add(time.Hour), State: StateIncomplete, Engine: "files",
		Host: "db1", Program: "1.0.0", Args: []string{"/data/user/IRIS.DAT"}, Files: []FileInfo{*file},
		Databases: 1, Bytes: size, ZeroBytes: 8192, NewBytes: 81920, StoredBytes: 41000,
		Dirs:     []DirInfo{{Path: "/data", Mode: 0o755, UID: 1, GID: 2, ModTime: at}},
		Problems: []Problem{{Path: "/data/gone", Error: "not found", Fatal: true}, {Error: "a warning"}},
	}
	return set, file
}

// writeGoldenSet writes a set file with a record of every kind.
func writeGoldenSet(t *testing.T, dir string) (name string) {
	t.Helper()
	d := &disk{dir: dir}
	name = "golden"
	f, err := d.create(name + partialSuffix)
	if err != nil {
		t.Fatal(err)
	}
	comp, err := pack.NewCompressor(pack.CodecRaw) // what zstd makes is not of the format
	if err != nil {
		t.Fatal(err)
	}
	l := &setLog{
		disk: d, partial: name + partialSuffix, f: f, w: bufio.NewWriter(f), comp: comp,
		id: pack.ID([]byte("golden set v1\x00\xff\x01")), known: map[pack.ID]uint32{},
	}
	set, file := goldenInfo()
	begun := *set
	begun.Files, begun.State, begun.Finished, begun.Problems = []FileInfo{}, StateRunning, time.Time{}, nil
	begun.Databases, begun.Bytes, begun.ZeroBytes, begun.NewBytes, begun.StoredBytes = 0, 0, 0, 0, 0
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	l.write(setHeader{id: l.id}.append(nil))
	check(l.writeJSON(kindBegin, 0, &begun))

	check(l.file(0, file)) // given up
	l.packIndex(pack.ID{0xaa})
	l.page(0, pageOf(run{7, 0, 5}))
	l.drop(0)

	check(l.file(0, file))
	for i, p := range goldenPages() {
		for _, e := range p {
			if e.pack != hole {
				l.packIndex([]pack.ID{{0xaa}, {0xbb}, {0xcc}}[e.pack])
			}
		}
		if i == 1 { // a checkpoint came in the middle of it
			l.interim(0, p[:1])
		}
		l.interim(0, nil) // or between pages, or in a hole: there is nothing to tell
		l.interim(0, pageOf(run{7, hole, 0}))
		l.page(0, p)
	}
	check(l.fileEnd(0, file))
	check(l.writeJSON(kindState, 0, Problem{Error: "interrupted", Fatal: true}))
	check(l.finish(set, name+sealedSuffix))
	return name + sealedSuffix
}

// TestGoldenSet pins the bytes of every part of a set file, and that the stored
// one gives back what was put in.
func TestGoldenSet(t *testing.T) {
	dir := t.TempDir()
	name := writeGoldenSet(t, dir)
	got, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(goldenSet, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenSet)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		at := 0
		for at < min(len(got), len(want)) && got[at] == want[at] {
			at++
		}
		from := max(at-32, 0)
		t.Errorf("the set file differs from %s from byte %d on:\ngot\n%s\nwant\n%s", goldenSet, at,
			hex.Dump(got[from:min(at+64, len(got))]), hex.Dump(want[from:min(at+64, len(want))]))
	}

	s := openBytes(t, want, "golden.set")
	set, file := goldenInfo()
	checkInfoEqual(t, s.info, set)
	checkGoldenPages(t, s)

	// Without its end, it is the same set, interrupted.
	footer, err := parseSetFooter(want[len(want)-setFooterSize:], int64(len(want)))
	if err != nil {
		t.Fatal(err)
	}
	s = openBytes(t, want[:footer.table], "golden.partial")
	if s.info.State != StateInterrupted || len(s.info.Problems) != 1 || s.info.Problems[0].Error != "interrupted" {
		t.Errorf("partial set is %+v", s.info)
	}
	if len(s.info.Files) != 1 {
		t.Fatalf("partial set has %d files", len(s.info.Files))
	}
	if i := s.info; i.Databases != 1 || i.Bytes != file.Size || i.ZeroBytes != 8192 || i.NewBytes != 81920 || i.StoredBytes != 40000 {
		t.Errorf("sums of the partial set are %+v", i)
	}
	checkInfoEqual(t, &SetInfo{Files: s.info.Files}, &SetInfo{Files: []FileInfo{*file}})
	checkGoldenPages(t, s)
}

func checkGoldenPages(t *testing.T, s *setFile) {
	t.Helper()
	if !slices.Equal(s.packs, []pack.ID{{0xaa}, {0xbb}, {0xcc}}) {
		t.Errorf("packs are %v", s.packs)
	}
	for i, want := range goldenPages() {
		if got, err := s.page(0, int64(i), want.blocks()); err != nil || !slices.Equal(got, want) {
			t.Errorf("page %d is %v, %v, want %v", i, got, err, want)
		}
	}
}

func FuzzSetHeader(f *testing.F) {
	f.Add(setHeader{id: [16]byte{1}}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= setHeaderSize {
			b = summed(56, bytes.Clone)(b)
		}
		h, err := parseSetHeader(b)
		if err != nil {
			if !errors.Is(err, errSetFile) {
				t.Error(err)
			}
		} else if !bytes.Equal(h.append(nil), b[:setHeaderSize]) {
			t.Errorf("%x parses as %+v", b, h)
		}
	})
}

func FuzzSetFooter(f *testing.F) {
	f.Add(setFooter{meta: 500, table: 400, id: [16]byte{1}}.append(nil), int64(1000))
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		if len(b) == setFooterSize {
			b = summed(48, bytes.Clone)(b)
		}
		footer, err := parseSetFooter(b, size)
		if err != nil {
			if !errors.Is(err, errSetFile) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(footer.append(nil), b) {
			t.Errorf("%x parses as %+v", b, footer)
		}
		if last := size - setFooterSize - recordHeaderSize; max(footer.meta, footer.table) > last || min(footer.meta, footer.table) < setHeaderSize {
			t.Errorf("%+v of %d bytes", footer, size)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, record{kind: kindPage, codec: 1, raw: 100, file: 3, number: 4}, []byte("payload")))
	f.Add(appendRecord(nil, record{kind: kindDrop}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= recordHeaderSize {
			b = sumRecord(bytes.Clone(b))
		}
		r, stored, err := checkRecord(b)
		if err != nil {
			if !errors.Is(err, errSetFile) {
				t.Error(err)
			}
		} else if !bytes.Equal(appendRecord(nil, r, stored), b) {
			t.Errorf("%x parses as %+v", b, r)
		}
	})
}
