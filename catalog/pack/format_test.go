package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// A rejection is an edit of valid bytes that makes them invalid.
type rejection struct {
	name    string
	edit    func(b []byte) []byte
	want    string // part of the error: the check that is meant
	version bool   // it is ErrVersion as well
}

// check edits a copy of valid and has parse reject it.
func (r rejection) check(t *testing.T, valid []byte, parse func([]byte) error) {
	t.Helper()
	err := parse(r.edit(bytes.Clone(valid)))
	if !errors.Is(err, ErrInvalid) || errors.Is(err, ErrVersion) != r.version || !strings.Contains(err.Error(), r.want) {
		t.Errorf("error is %v, want %q and ErrVersion %v", err, r.want, r.version)
	}
}

// put16, put32, put64 and putByte make edits that leave the sums as they are.
func put16(at int, v uint16) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint16(b[at:], v); return b }
}

func put32(at int, v uint32) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
}

func put64(at int, v int64) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[at:], uint64(v)); return b }
}

func putByte(at int, v byte) func([]byte) []byte {
	return func(b []byte) []byte { b[at] = v; return b }
}

func cutTo(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }

// summed makes an edit and puts the sum of the bytes before it at an offset, so
// that what rejects the bytes is not the sum.
func summed(at int, edit func([]byte) []byte) func([]byte) []byte {
	return func(b []byte) []byte {
		b = edit(b)
		binary.LittleEndian.PutUint64(b[at:], Sum64(b[:at]))
		return b
	}
}

func TestParseHeader(t *testing.T) {
	want := Header{ID: ID{1, 2, 3, 15: 16}}
	valid := want.Append([]byte("before"))[6:]
	got, err := ParseHeader(append(bytes.Clone(valid), "after"...))
	if err != nil || got != want {
		t.Fatalf("ParseHeader = %v, %v, want %v", got, err, want)
	}
	tests := []rejection{
		{"Empty", cutTo(0), "0 bytes", false},
		{"Short", cutTo(63), "63 bytes", false},
		{"Magic", summed(56, putByte(7, 'k')), "magic", false},
		{"Version", summed(56, put32(8, 2)), "version 2", true},
		{"VersionUnsummed", put32(8, 2), "sum", false}, // damage, not a later version
		{"VersionZero", summed(56, put32(8, 0)), "version 0", false},
		{"Flags", summed(56, put32(12, 1)), "reserved", false},
		{"PackID", putByte(16, 9), "sum", false},
		{"KeyID", summed(56, putByte(47, 1)), "key 0000", true},
		{"Reserved", summed(56, putByte(55, 1)), "reserved", false},
		{"Sum", putByte(56, valid[56]^1), "sum", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.check(t, valid, func(b []byte) error { _, err := ParseHeader(b); return err })
		})
	}
}

func TestParseFooter(t *testing.T) {
	const size = 1 << 20
	want := Footer{IndexOffset: size - 64 - 3*32, Segments: 3, Ordinals: 3000, Present: 2999, RawBytes: 2999 * MaxFrame, IndexSum: 77}
	valid := want.Append([]byte("before"))[6:]
	got, err := ParseFooter(valid, size)
	if err != nil || got != want {
		t.Fatalf("ParseFooter = %v, %v, want %v", got, err, want)
	}
	tests := []rejection{
		{"Empty", cutTo(0), "0 bytes", false},
		{"Short", cutTo(63), "63 bytes", false},
		{"Long", func(b []byte) []byte { return append(b, 0) }, "65 bytes", false},
		{"Magic", putByte(63, 'd'), "magic", false},
		{"Sum", putByte(48, valid[48]^1), "sum", false},
		{"Version", summed(48, put32(32, 2)), "version 2", true},
		{"VersionUnsummed", put32(32, 2), "sum", false},
		{"VersionZero", summed(48, put32(32, 0)), "version 0", false},
		{"Reserved", summed(48, putByte(47, 1)), "reserved", false},
		{"IndexEarly", summed(48, put64(0, want.IndexOffset-1)), "index of 3 segments", false},
		{"IndexLate", summed(48, put64(0, want.IndexOffset+1)), "index of 3 segments", false},
		{"IndexNegative", summed(48, put64(0, -1)), "index of 3 segments", false},
		{"Segments", summed(48, put32(8, 4)), "index of 4 segments", false},
		{"MoreSegmentsThanOrdinals", summed(48, put32(8, 3001)), "3001 segments", false},
		{"Ordinals", summed(48, put32(12, 1<<28+1)), "ordinals", false},
		{"FewerThanPresent", summed(48, put32(12, 2998)), "2999 present", false},
		{"RawBytesFew", summed(48, put64(16, 2998)), "2998 raw bytes", false},
		{"RawBytesMany", summed(48, put64(16, want.RawBytes+1)), "raw bytes", false},
		{"RawBytesNegative", summed(48, put64(16, -1)), "-1 raw bytes", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.check(t, valid, func(b []byte) error { _, err := ParseFooter(b, size); return err })
		})
	}
	t.Run("MostOrdinals", func(t *testing.T) {
		want := Footer{IndexOffset: 64, Ordinals: 1 << 28, Present: 1 << 28, RawBytes: 1 << 44}
		if got, err := ParseFooter(want.Append(nil), 128); err != nil || got != want {
			t.Errorf("ParseFooter = %v, %v", got, err)
		}
	})
	t.Run("IndexInHeader", func(t *testing.T) {
		f := Footer{IndexOffset: 63}
		_, err := ParseFooter(f.Append(nil), 63+64)
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestParseIndex(t *testing.T) {
	want := []SegmentRef{
		{First: 0, Ordinals: 1024, Offset: 1000, Length: 16 + 1024*56, Sum: 1},
		{First: 1024, Ordinals: 1, Offset: 100_000, Length: 16, Sum: 2},
		{First: 1025, Ordinals: 500, Offset: HeaderSize, Length: 20_000, Sum: 3},
	}
	var valid []byte
	for _, ref := range want {
		valid = ref.Append(valid)
	}
	footer := Footer{IndexOffset: 100_016, Segments: 3, Ordinals: 1525}
	parse := func(b []byte) ([]SegmentRef, error) {
		f := footer
		f.IndexSum = Sum64(b)
		return ParseIndex(b, f)
	}
	got, err := parse(valid)
	if err != nil || len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Fatalf("ParseIndex = %v, %v, want %v", got, err, want)
	}
	tests := []rejection{
		{"Short", cutTo(95), "95 bytes", false},
		{"Long", func(b []byte) []byte { return append(b, make([]byte, 32)...) }, "128 bytes", false},
		{"NotFromZero", put32(0, 1), "from 1", false},
		{"Gap", put32(32, 1025), "segment 1 covers", false},
		{"Overlap", put32(32, 1023), "segment 1 covers", false},
		{"NoOrdinals", put32(36, 0), "segment 1 covers 0", false},
		{"ManyOrdinals", put32(4, 1025), "segment 0 covers 1025", false},
		{"MoreOrdinalsThanThePack", put32(64+4, 501), "segment 2 covers 501", false},
		{"FewerOrdinalsThanThePack", put32(64+4, 499), "1524 of 1525", false},
		{"InHeader", put64(64+8, 63), "segment 2 of 20000 bytes lies at 63", false},
		{"NegativeOffset", put64(8, -1<<40), "lies at -", false},
		{"ReachesIndex", put64(32+8, 100_001), "lies at 100001", false},
		{"TooShort", put32(32+16, 15), "has 15 bytes", false},
		{"TooLong", put32(32+16, 16+57), "has 73 bytes", false},
		{"MuchTooLong", put32(16, 1<<32-1), "bytes", false},
		{"Reserved", putByte(64+23, 1), "reserved", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.check(t, valid, func(b []byte) error { _, err := parse(b); return err })
		})
	}
	t.Run("Sum", func(t *testing.T) {
		f := footer
		f.IndexSum = Sum64(valid) + 1
		if _, err := ParseIndex(valid, f); !errors.Is(err, ErrInvalid) {
			t.Errorf("error is %v", err)
		}
	})
}
