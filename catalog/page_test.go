package catalog

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"datfs/catalog/pack"
)

// A run is a number of blocks to add to a page.
type run struct{ n, pack, ordinal uint32 }

func pageOf(runs ...run) page {
	var p page
	for _, r := range runs {
		p = p.add(r.n, r.pack, r.ordinal)
	}
	return p
}

func TestPageAdd(t *testing.T) {
	tests := []struct {
		name string
		runs []run
		want page
	}{
		{"One", []run{{1, 3, 7}}, page{{0, 1, 3, 7}}},
		{"GoesOn", []run{{1, 3, 7}, {2, 3, 8}, {1, 3, 10}}, page{{0, 4, 3, 7}}},
		{"Skips", []run{{2, 3, 7}, {1, 3, 10}}, page{{0, 2, 3, 7}, {2, 1, 3, 10}}},
		{"Again", []run{{2, 3, 7}, {2, 3, 7}}, page{{0, 2, 3, 7}, {2, 2, 3, 7}}},
		{"OtherPack", []run{{1, 3, 7}, {1, 4, 8}}, page{{0, 1, 3, 7}, {1, 1, 4, 8}}},
		{"Holes", []run{{1, hole, 0}, {5, hole, 0}}, page{{0, 6, hole, 0}}},
		{"HoleHasNoOrdinal", []run{{1, hole, 9}, {1, hole, 4}}, page{{0, 2, hole, 0}}},
		{"HoleBetween", []run{{1, 3, 7}, {1, hole, 0}, {1, 3, 8}}, page{{0, 1, 3, 7}, {1, 1, hole, 0}, {2, 1, 3, 8}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := pageOf(tt.runs...)
			if !slices.Equal(got, tt.want) {
				t.Errorf("page = %v, want %v", got, tt.want)
			}
			for block := range got.blocks() {
				e := got[got.find(block)]
				if block < e.first || block >= e.first+e.count {
					t.Errorf("find(%d) = %v", block, e)
				}
			}
		})
	}
	if pageOf().blocks() != 0 || pageOf(run{5, hole, 0}, run{2, 1, 1}).blocks() != 7 {
		t.Error("blocks() is wrong")
	}
	if !pageOf(run{5, hole, 0}).allHole() || pageOf(run{5, 0, 0}).allHole() || pageOf(run{5, hole, 0}, run{2, 1, 1}).allHole() {
		t.Error("allHole() is wrong")
	}
}

// everyBlock returns a page in which each block is an extent of its own.
func everyBlock(pack func(i uint32) uint32, ordinal func(i uint32) uint32) page {
	var p page
	for i := range uint32(PageBlocks) {
		p = p.add(1, pack(i), ordinal(i))
	}
	return p
}

func TestPageRoundTrip(t *testing.T) {
	const most = math.MaxUint32
	tests := []struct {
		name string
		page page
	}{
		{"OneBlock", pageOf(run{1, 0, 0})},
		{"Full", pageOf(run{PageBlocks, 5, 1 << 20})},
		{"Hole", pageOf(run{PageBlocks, hole, 0})},
		{"ShortHole", pageOf(run{1, hole, 0})},
		{"HolesAndPacks", pageOf(run{10, hole, 0}, run{1, 2, 5}, run{3, hole, 0}, run{1, 2, 6}, run{9, 0, 0}, run{1, hole, 0})},
		{"PacksGoBack", pageOf(run{1, 9, 5}, run{1, 2, 5}, run{1, 9, 4}, run{1, 2, 1000}, run{1, 0, 0})},
		{"LastOrdinal", pageOf(run{1, 0, most - 1}, run{1, 0, 0}, run{5, 0, most - 5})},
		{"FirstAndLastPack", pageOf(run{1, 0, 1}, run{1, 999, 1}, run{1, 0, 1})},
		{"EveryBlockBackwards", everyBlock(func(uint32) uint32 { return 0 }, func(i uint32) uint32 { return PageBlocks - i })},
		{"EveryBlockOtherPack", everyBlock(func(i uint32) uint32 { return i % 1000 }, func(i uint32) uint32 { return 7 * i })},
		{"EverySecondHole", everyBlock(func(i uint32) uint32 { return []uint32{hole, 1}[i%2] }, func(i uint32) uint32 { return i })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.page.encode([]byte("before"))[6:]
			got, err := parsePage(b, 1000)
			if err != nil || !slices.Equal(got, tt.page) {
				t.Fatalf("came back as %v, %v", got, err)
			}
			for n := 0; n < len(b); n += 1 + len(b)/500 { // a page that is cut off is not a shorter page
				if _, err := parsePage(b[:n], 1000); !errors.Is(err, errPage) {
					t.Fatalf("%d of %d bytes: %v", n, len(b), err)
				}
			}
			if _, err := parsePage(append(b, 0), 1000); !errors.Is(err, errPage) {
				t.Errorf("a byte more: %v", err)
			}
		})
	}
}

// columns encodes a page by hand: numbers in the order of the format.
func columns(numbers ...any) []byte {
	var b []byte
	for _, n := range numbers {
		switch n := n.(type) {
		case uint:
			b = binary.AppendUvarint(b, uint64(n))
		case int:
			b = binary.AppendVarint(b, int64(n))
		}
	}
	return b
}

// The encoding is what the comment says, number by number.
func TestPageFormat(t *testing.T) {
	p := pageOf(run{10, 4, 100}, run{5, hole, 0}, run{20, 2, 7}, run{1, 4, 108})
	want := columns(uint(4), uint(2), 4, 2-4, uint(10), uint(5), uint(20), uint(1),
		uint(1), uint(0), uint(2), uint(1), 100, 7, 108-110)
	if got := p.encode(nil); !slices.Equal(got, want) {
		t.Errorf("page is %x, want %x", got, want)
	}
}

func TestParsePageRejects(t *testing.T) {
	const e, np = uint(1), uint(1) // one extent of one pack
	tests := []struct {
		name string
		b    []byte
		want string
	}{
		{"Empty", nil, "extents"},
		{"NoExtents", columns(uint(0), uint(0)), "0 extents"},
		{"TooManyExtents", columns(uint(PageBlocks+1), uint(0)), "extents"},
		{"MorePacksThanExtents", columns(uint(1), uint(2), 0, 1), "1 extents of 2 packs"},
		{"NegativePack", columns(e, np, -1, uint(1), uint(1), 0), "pack -1"},
		{"NoSuchPack", columns(e, np, 3, uint(1), uint(1), 0), "pack 3 of 3"},
		{"PackGoesBelowZero", columns(uint(2), uint(2), 1, -2), "pack -1"},
		{"NoBlocks", columns(e, np, 0, uint(0), uint(1), 0), "no blocks"},
		{"TooManyBlocks", columns(e, np, 0, uint(PageBlocks+1), uint(1), 0), "no blocks"},
		{"TooManyBlocksTogether", columns(uint(2), np, 0, uint(PageBlocks), uint(1), uint(1), uint(1), 0, 0), "no blocks"},
		{"NoSuchSlot", columns(e, np, 0, uint(1), uint(2), 0), "torn"},
		{"NegativeOrdinal", columns(e, np, 0, uint(1), uint(1), -1), "ordinal -1"},
		{"OrdinalGoesBelowZero", columns(uint(2), np, 0, uint(1), uint(1), uint(1), uint(1), 5, -7), "ordinal -1"},
		{"OrdinalTooLarge", columns(e, np, 0, uint(1), uint(1), 1<<32-1), "ordinal 4294967295"},
		{"OrdinalMuchTooLarge", columns(e, np, 0, uint(1), uint(1), 1<<33+1), "torn"},
		{"NumberOf11Bytes", append(columns(e, np, 0, uint(1), uint(1)), slices.Repeat([]byte{0x80}, 11)...), "torn"},
		{"OrdinalOfHole", columns(e, uint(0), uint(1), uint(0), 5), "1 bytes too many"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := parsePage(tt.b, 3)
			if p != nil || !errors.Is(err, errPage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parsePage = %v, %v, want %q", p, err, tt.want)
			}
		})
	}
	if _, err := parsePage(columns(e, np, 2, uint(1), uint(1), 1<<32-2), 3); err != nil {
		t.Errorf("the last ordinal of the last pack: %v", err)
	}
}

// FuzzParsePage parses arbitrary bytes. What parses is a page: in order, without
// gaps, within the limits; and it encodes to something that parses the same.
func FuzzParsePage(f *testing.F) {
	f.Add(pageOf(run{1, 0, 0}).encode(nil), uint16(1))
	f.Add(pageOf(run{10, hole, 0}, run{1, 2, 5}, run{3, hole, 0}, run{1, 2, 6}, run{9, 0, 0}).encode(nil), uint16(3))
	f.Add(pageOf(run{PageBlocks, hole, 0}).encode(nil), uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, packs uint16) {
		p, err := parsePage(b, int(packs))
		if err != nil {
			if !errors.Is(err, errPage) {
				t.Errorf("%v is not errPage", err)
			}
			return
		}
		next := uint32(0)
		for _, e := range p {
			if e.first != next || e.count == 0 || e.pack != hole && e.pack >= uint32(packs) || e.pack == hole && e.ordinal != 0 {
				t.Errorf("%v is in the page %v of %d packs", e, p, packs)
			}
			next += e.count
		}
		if next > PageBlocks || next != p.blocks() {
			t.Errorf("page of %d blocks", next)
		}
		again, err := parsePage(p.encode(nil), int(packs))
		if err != nil || !slices.Equal(again, p) {
			t.Errorf("%v encodes to what is %v, %v", p, again, err)
		}
	})
}

// FuzzPageAdd builds a page of arbitrary runs. It comes back as it was.
func FuzzPageAdd(f *testing.F) {
	f.Add([]byte{1, 0, 0, 5, 1, 9, 5, 0, 5, 5, 1, 14})
	f.Add([]byte{255, 255, 255, 0, 3, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p page
		var want []address // by block
		for ; len(b) >= 3 && p.blocks() < PageBlocks; b = b[3:] {
			n := min(1+uint32(b[0]), PageBlocks-p.blocks())
			r := run{n, uint32(b[1]) % 8, uint32(b[2]) * uint32(b[2])}
			if r.pack == 0 {
				r.pack, r.ordinal = hole, 0
			}
			p = p.add(r.n, r.pack, r.ordinal)
			for i := range n {
				a := address{r.pack, r.ordinal + i}
				if r.pack == hole {
					a.ordinal = 0
				}
				want = append(want, a)
			}
		}
		if p == nil {
			return
		}
		got, err := parsePage(p.encode(nil), 8)
		if err != nil || !slices.Equal(got, p) {
			t.Fatalf("%v came back as %v, %v", p, got, err)
		}
		if int(got.blocks()) != len(want) {
			t.Fatalf("page of %d blocks, want %d", got.blocks(), len(want))
		}
		for i, w := range want {
			e := got[got.find(uint32(i))]
			a := address{e.pack, e.ordinal}
			if e.pack != hole {
				a.ordinal += uint32(i) - e.first
			}
			if a != w {
				t.Fatalf("block %d is at %v, want %v", i, a, w)
			}
		}
	})
}

// TestPageYear has a year of nights go over a file, 1 % of the blocks rewritten
// at random in each. Nearly every block is then an extent of its own, and the
// extents of the last set must still be small: at most 0.05 % of the file.
func TestPageYear(t *testing.T) {
	const fileBlocks, nights, blockSize = 200_000, 365, 8192
	rng := rand.New(rand.NewPCG(1, 2))
	where := make([]address, fileBlocks)
	for i := range where { // the first night stores all
		where[i] = address{0, uint32(i)}
	}
	for night := range uint32(nights) {
		changed := make([]bool, fileBlocks)
		for range fileBlocks / 100 {
			changed[rng.IntN(fileBlocks)] = true
		}
		ordinal := uint32(0)
		for i, c := range changed { // packs are filled in file order
			if c {
				where[i] = address{night + 1, ordinal}
				ordinal++
			}
		}
	}

	comp, err := pack.NewCompressor(pack.CodecZstd)
	if err != nil {
		t.Fatal(err)
	}
	var size, extents int
	for first := 0; first < fileBlocks; first += PageBlocks {
		var p page
		for _, a := range where[first:min(first+PageBlocks, fileBlocks)] {
			p = p.add(1, a.slot, a.ordinal)
		}
		b := p.encode(nil)
		if back, err := parsePage(b, nights+1); err != nil || !slices.Equal(back, p) {
			t.Fatalf("the page of block %d does not come back: %v", first, err)
		}
		stored, _ := comp.Compress(nil, b)
		size += recordHeaderSize + len(stored) + indexEntrySize
		extents += len(p)
	}
	const most = fileBlocks * blockSize / 2000
	t.Logf("%d extents of %d blocks take %d bytes: %.1f bits an extent, %.4f %% of the file",
		extents, fileBlocks, size, 8*float64(size)/float64(extents), 100*float64(size)/(fileBlocks*blockSize))
	if size > most || extents < fileBlocks*9/10 {
		t.Errorf("%d bytes for %d extents, want at most %d", size, extents, most)
	}
}
