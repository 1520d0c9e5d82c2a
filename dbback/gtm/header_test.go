package gtm

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// headerBytes makes a file header like that of a new database.
func headerBytes(format string, blockSize, total int64, tn uint64) []byte {
	b := make([]byte, HeaderSize)
	put32 := func(off int, v int64) { binary.LittleEndian.PutUint32(b[off:], uint32(v)) }
	put64 := func(off int, v uint64) { binary.LittleEndian.PutUint64(b[off:], v) }
	put32(offBlockSize, blockSize)
	put32(offMapBlocks, mapBlocks)
	put32(offAccess, 1)
	clearIDs(b)
	if format == FormatV6 {
		copy(b, "GDSDYNUNX03\x00")
		put32(offMapLenV6, 253952)
		put32(offStartV6, 513)
		put32(offTotalV6, total)
		setTN(b, format, tn)
		return b
	}
	copy(b, "GDSDYNUNX04\x00")
	put64(offMapLenV7, 4186112)
	put64(offStartV7, 8193)
	put64(offTotalV7, uint64(total))
	setTN(b, format, tn)
	return b
}

func TestParseHeader(t *testing.T) {
	name := "/data/t.mjl"
	set := func(off int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[off:], v) }
	}
	tests := []struct {
		name   string
		format string
		change func([]byte)
		want   func(*Header) bool
		err    string
	}{
		{"v7", FormatV7, nil, func(h *Header) bool {
			return h.Format == FormatV7 && h.Start == 4<<20 && h.BlockOffset(3) == 4<<20+3*4096 &&
				h.FileSize() == 4<<20+1001*4096 && h.TN == 77 && !h.InUse() && h.Journal == JournalDisabled
		}, ""},
		{"v6", FormatV6, nil, func(h *Header) bool {
			return h.Format == FormatV6 && h.Start == 256<<10 && h.FileSize() == 256<<10+1001*4096 && h.TN == 77
		}, ""},
		{"in use", FormatV7, set(offSemID+4, 5), (*Header).InUse, ""},
		{"mm", FormatV7, set(offAccess, 2), func(h *Header) bool { return h.MemoryMapped }, ""},
		{"encrypted", FormatV7, set(offEncrypted, 1), func(h *Header) bool { return h.Encrypted }, ""},
		{"damaged", FormatV7, set(offCorrupt, 1), func(h *Header) bool { return h.Corrupt }, ""},
		{"being created", FormatV7, set(offCreating, 1), func(h *Header) bool { return h.Corrupt }, ""},
		{"journaled", FormatV7, func(b []byte) {
			set(offJnlState, 2)(b)
			set(offJnlNameLen, uint32(len(name)+1))(b)
			copy(b[offJnlName:], name)
		}, func(h *Header) bool { return h.Journal == JournalOn && h.JournalFile == name }, ""},
		{"name of a strange length", FormatV7, set(offJnlNameLen, 1<<31), func(h *Header) bool { return h.JournalFile == "" }, ""},
		{"label", FormatV7, func(b []byte) { b[9] = '9' }, nil, `its label is "GDSDYNUNX94"`},
		{"block size", FormatV7, set(offBlockSize, 1000), nil, "block size 1000"},
		{"blocks", FormatV7, set(offTotalV7+4, 1<<30), nil, "blocks"},
		{"start", FormatV7, set(offStartV7, 3), nil, "block 0 at unit 3"},
		{"local maps", FormatV7, set(offMapBlocks, 256), nil, "local maps of 256 blocks"},
		{"map", FormatV6, set(offMapLenV6, 1<<20), nil, "master map"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := headerBytes(tt.format, 4096, 1000, 77)
			if tt.change != nil {
				tt.change(b)
			}
			h, err := ParseHeader(b)
			switch {
			case tt.err != "":
				if !errors.Is(err, ErrNotDatabase) || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one with %q", err, tt.err)
				}
			case err != nil:
				t.Error(err)
			case !tt.want(h):
				t.Errorf("%+v", h)
			}
		})
	}
	if _, err := ParseHeader(make([]byte, 100)); !errors.Is(err, ErrNotDatabase) {
		t.Errorf("of 100 bytes: %v", err)
	}
}

// TestSetTN_V6 holds that a header that an engine of V6 wrote gets no second
// number, and that one of an engine of V7 gets both.
func TestSetTN_V6(t *testing.T) {
	for _, second := range []uint64{0, 50} {
		b := headerBytes(FormatV6, 4096, 10, 50)
		binary.LittleEndian.PutUint64(b[offTNV7:], second)
		setTN(b, FormatV6, 60)
		if got, want := binary.LittleEndian.Uint64(b[offTNV7:]), map[uint64]uint64{0: 0, 50: 60}[second]; got != want {
			t.Errorf("second number is %d, want %d", got, want)
		}
		if h, err := ParseHeader(b); err != nil || h.TN != 60 || h.EarlyTN != 60 {
			t.Errorf("%+v, %v", h, err)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(headerBytes(FormatV7, 8192, 1000, 1))
	f.Add(headerBytes(FormatV6, 512, 1, 1<<40))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err != nil {
			if !errors.Is(err, ErrNotDatabase) {
				t.Errorf("%v", err)
			}
			return
		}
		if h.Start < HeaderSize+h.MapLen || h.FileSize() < h.BlockOffset(h.TotalBlocks) || h.BlockOffset(0) != h.Start {
			t.Errorf("%+v", h)
		}
		b = slices.Clone(b)
		setTN(b, h.Format, 12345)
		clearIDs(b)
		if again, err := ParseHeader(b); err != nil || again.TN != 12345 || again.EarlyTN != 12345 || again.InUse() {
			t.Errorf("%+v, %v", again, err)
		}
	})
}
