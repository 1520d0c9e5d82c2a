package bench

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// makeDatabase makes a small database and returns its path and its bytes.
func makeDatabase(t *testing.T, seed uint64, size int64) (string, []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "IRIS.DAT")
	opts := Options{Bytes: size, Seed: seed, Directory: "/data/user/"}
	if err := WriteDatabase(path, opts); err != nil {
		t.Fatal(err)
	}
	return path, readAll(t, path)
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWriteDatabase_Label(t *testing.T) {
	const size = 4 << 20
	_, b := makeDatabase(t, 1, size)
	if len(b) != size {
		t.Fatalf("size = %d, want %d", len(b), size)
	}
	tests := []struct {
		name string
		at   int
		want []byte
	}{
		{"NoMagicAtStart", 0, make([]byte, 0x400)},
		{"Magic", 0x5F4, []byte("Cache DB")},
		{"Blocks", 0x458, []byte{0, 2, 0, 0, 0, 2, 0, 0}}, // 512, twice
		{"Directory", 0x5FC, []byte("\x0b\x00/data/user/\x00")},
		{"Resource", 0x700, []byte("\x0c\x00%DB_%DEFAULT\x00")},
		{"MapBlock", 1*BlockSize + 4, []byte{typeMap}},
		{"GlobalDirectory", 2*BlockSize + 4, []byte{typeGlobals}},
		{"EmptyBlock", 3 * BlockSize, make([]byte, BlockSize)},
		{"PointerBlock", 16*BlockSize + 4, []byte{typeBottom, collation}},
		{"DataBlock", 15*BlockSize + 4, []byte{typeData, collation}},
		{"RightLink", 15*BlockSize + 8, []byte{16, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := b[tt.at : tt.at+len(tt.want)]; !bytes.Equal(got, tt.want) {
				t.Errorf("at %#x: %q, want %q", tt.at, got, tt.want)
			}
		})
	}
}

func TestWriteDatabase_Deterministic(t *testing.T) {
	_, a := makeDatabase(t, 7, 4<<20)
	_, b := makeDatabase(t, 7, 4<<20)
	_, c := makeDatabase(t, 8, 4<<20)
	if !bytes.Equal(a, b) {
		t.Error("one seed gave two files")
	}
	if bytes.Equal(a[BlockSize:], c[BlockSize:]) {
		t.Error("two seeds gave one file")
	}
}

// Unique blocks keep deduplication within a file out of every measurement.
func TestWriteDatabase_Blocks(t *testing.T) {
	const size = 32 << 20
	_, b := makeDatabase(t, 1, size)
	seen := make(map[string]int)
	zero := 0
	for n := range size / BlockSize {
		block := b[n*BlockSize : (n+1)*BlockSize]
		if !slices.ContainsFunc(block, func(c byte) bool { return c != 0 }) {
			zero++
			continue
		}
		if m, ok := seen[string(block)]; ok {
			t.Fatalf("blocks %d and %d are equal", m, n)
		}
		seen[string(block)] = n
		if used := binary.LittleEndian.Uint32(block); n > 0 && used > BlockSize-headerSize {
			t.Fatalf("block %d says that %d bytes of it are used", n, used)
		}
	}
	// A tenth, and block 3.
	if want := size/BlockSize/zeroShare + 1; zero != want {
		t.Errorf("%d zero blocks, want %d", zero, want)
	}
}

// The ratios are those of production databases, give or take: nearly three
// times in frames of 64 KiB, somewhat less in single blocks.
func TestWriteDatabase_Ratio(t *testing.T) {
	const frame = 64 << 10
	path, b := makeDatabase(t, 1, 16<<20)
	b = b[:len(b)/frame*9/10*frame] // without the zero blocks
	enc, err := newEncoder()
	if err != nil {
		t.Fatal(err)
	}
	var total int
	var numbers []int64
	for at := firstDataBlock + 1; at*BlockSize < len(b); at++ {
		numbers = append(numbers, int64(at))
	}
	for part := range slices.Chunk(b, frame) {
		total += len(enc.EncodeAll(part, nil))
	}
	inFrames := float64(len(b)) / float64(total)
	if inFrames < 2.6 || inFrames > 3.4 {
		t.Errorf("in frames of 64 KiB it compresses %.2f times, want about 3", inFrames)
	}
	sum, err := CompressedAlone(path, numbers)
	if err != nil {
		t.Fatal(err)
	}
	alone := float64(len(numbers)*BlockSize) / float64(sum)
	if alone < 2 || alone > inFrames {
		t.Errorf("single blocks compress %.2f times, frames %.2f", alone, inFrames)
	}
	t.Logf("frames %.2f, single blocks %.2f", inFrames, alone)
}

func TestWriteDatabase_Size(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int64{-1, 0, 30 * BlockSize, BlockSize << 32} {
		if err := WriteDatabase(filepath.Join(dir, "a"), Options{Bytes: size}); err == nil {
			t.Errorf("%d bytes: no error", size)
		}
	}
	path := filepath.Join(dir, "b")
	if err := WriteDatabase(path, Options{Bytes: 31*BlockSize + 5}); err != nil {
		t.Fatal(err)
	}
	if got := len(readAll(t, path)); got != 31*BlockSize {
		t.Errorf("size = %d, want whole blocks", got)
	}
}

func TestChangeBlocks(t *testing.T) {
	const blocks = 2048
	for _, tt := range []struct {
		name     string
		fraction float64
		seed     uint64
		want     int
	}{
		{"None", 0, 2, 0},
		{"OnePercent", 0.01, 2, 20},
		{"SeedOfTheDatabase", 0.01, 1, 20},
		{"All", 1, 2, blocks - 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, before := makeDatabase(t, 1, blocks*BlockSize)
			changed, err := ChangeBlocks(path, tt.fraction, tt.seed)
			if err != nil {
				t.Fatal(err)
			}
			after := readAll(t, path)
			if len(after) != len(before) {
				t.Fatalf("size = %d, was %d", len(after), len(before))
			}
			var differ []int64
			for n := range int64(blocks) {
				at := n * BlockSize
				if !bytes.Equal(before[at:at+BlockSize], after[at:at+BlockSize]) {
					differ = append(differ, n)
				}
			}
			if !slices.Equal(changed, differ) {
				t.Errorf("returned %d blocks, %d differ", len(changed), len(differ))
			}
			if len(differ) != tt.want {
				t.Errorf("%d blocks differ, want %d", len(differ), tt.want)
			}
			if slices.Contains(differ, 0) {
				t.Error("the label changed")
			}
		})
	}
}

func TestChangeBlocks_Errors(t *testing.T) {
	path, _ := makeDatabase(t, 1, 1<<20)
	for _, fraction := range []float64{-0.1, 1.1} {
		if _, err := ChangeBlocks(path, fraction, 1); err == nil {
			t.Errorf("fraction %v: no error", fraction)
		}
	}
	if _, err := ChangeBlocks(path+"x", 0.5, 1); err == nil {
		t.Error("missing file: no error")
	}
}
