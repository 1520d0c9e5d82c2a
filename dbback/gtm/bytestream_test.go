package gtm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A testRecord is a block of an incremental: as on disk, or a before-image of
// which used bytes count.
type testRecord struct {
	block int64
	used  int // -1: as on disk
	fill  byte
}

// bytes returns the block, with a header that says how much of it is used.
func (r testRecord) bytes(blockSize int64) []byte {
	b := bytes.Repeat([]byte{r.fill}, int(blockSize))
	binary.LittleEndian.PutUint32(b[blockUsed:], uint32(max(r.used, 16)))
	return b
}

// bytestream makes an incremental backup of format V7.
func bytestream(blockSize, total int64, records []testRecord) []byte {
	head := make([]byte, incHeaderSize)
	copy(head, incLabel)
	copy(head[incRegion:], "DEFAULT")
	binary.LittleEndian.PutUint64(head[incStartTN:], 100)
	binary.LittleEndian.PutUint64(head[incEndTN:], 200)
	binary.LittleEndian.PutUint64(head[incTotal:], uint64(total))
	binary.LittleEndian.PutUint32(head[incBlockSize:], uint32(blockSize))
	out := head
	for _, r := range records {
		h := make([]byte, recHeaderSize)
		binary.LittleEndian.PutUint64(h[recBlock:], uint64(r.block))
		binary.LittleEndian.PutUint32(h[recVersion:], ^uint32(0))
		if r.used >= 0 {
			binary.LittleEndian.PutUint32(h[recVersion:], 4)
		}
		binary.LittleEndian.PutUint32(h[recValid:], 1)
		out = append(append(out, h...), r.bytes(blockSize)...)
	}
	out = append(out, make([]byte, recHeaderSize+blockSize)...)
	piece := func(b []byte) {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(b)+4))
		out = append(out, b...)
	}
	piece([]byte(endOfBlocks))
	header := headerBytes(FormatV7, blockSize, total, 200)
	header[offSemID], header[offSemID+4] = 1, 2 // of a running engine
	piece(header)
	piece([]byte(endOfHeader))
	for range 3 {
		piece(bytes.Repeat([]byte{0xfe}, 1000))
	}
	piece([]byte(endOfMap))
	return append(out, make([]byte, 77)...) // padding
}

func openBytes(b []byte) (*Bytestream, error) {
	return OpenBytestream(bytes.NewReader(b), int64(len(b)), "")
}

// TestBytestream lays random incrementals over a file, in the order of their
// records as MUPIP RESTORE does, and compares with Changes.
func TestBytestream(t *testing.T) {
	const total = 50
	for _, bs := range []int64{512, 8192, 32256} {
		for seed := range uint64(8) {
			rnd := rand.New(rand.NewPCG(seed, uint64(bs)))
			var records []testRecord
			for range rnd.IntN(120) {
				r := testRecord{rnd.Int64N(total + 5), -1, byte(1 + rnd.IntN(255))}
				if rnd.IntN(3) == 0 {
					r.used = 16 + rnd.IntN(int(bs)-15)
				}
				records = append(records, r)
			}
			s, err := openBytes(bytestream(bs, total, records))
			if err != nil {
				t.Fatal(err)
			}
			size, err := s.Size()
			if err != nil {
				t.Fatal(err)
			}
			want := bytes.Repeat([]byte{0xcc}, int(size)) // the copy
			got := bytes.Clone(want)
			copy(want, headerBytes(FormatV7, bs, total, 200))
			copy(want[HeaderSize:], bytes.Repeat([]byte{0xfe}, 3000))
			for _, r := range records {
				n := bs
				if r.used >= 0 {
					n = min(bs, int64(r.used+r.used%2))
				}
				if r.block < total {
					copy(want[4<<20+r.block*bs:], r.bytes(bs)[:n])
				}
			}
			end := int64(0)
			for c, err := range s.Changes(s.TotalBlocks) {
				if err != nil {
					t.Fatal(err)
				}
				if c.Offset < end {
					t.Fatalf("a change at %d after one that ended at %d", c.Offset, end)
				}
				end = c.Offset + int64(copy(got[c.Offset:], c.Data))
			}
			if !bytes.Equal(got, want) {
				t.Errorf("blocks of %d, seed %d: not what the records make", bs, seed)
			}
			if s.Records != int64(len(records)) || s.Region != "DEFAULT" || s.StartTN != 100 || s.EndTN != 200 {
				t.Errorf("%+v", s)
			}
		}
	}
}

// TestBytestream_NewMaps holds that the maps of blocks that came after the mark
// are made where the incremental lacks them, and only there.
func TestBytestream_NewMaps(t *testing.T) {
	const bs, total, had = 512, 3000, 1025
	s, err := openBytes(bytestream(bs, total, []testRecord{{0, -1, 1}, {1024, -1, 2}, {2000, -1, 3}, {2048, -1, 4}, {2999, -1, 5}}))
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for c, err := range s.Changes(had) {
		if err != nil {
			t.Fatal(err)
		}
		block := (c.Offset - 4<<20) / bs
		if c.Offset < 4<<20 {
			continue
		}
		got = append(got, block)
		if block != 1536 && block != 2560 {
			continue
		}
		if h := c.Data; h[0] != 4 || h[3] != 255 || h[blockUsed] != 144 || h[blockTN] != 100 || h[16] != 0x54 || h[143] != 0x55 || h[144] != 0 {
			t.Errorf("block %d: %x", block, c.Data)
		}
	}
	if want := []int64{0, 1024, 1536, 2000, 2048, 2560, 2999}; !slices.Equal(got, want) {
		t.Errorf("blocks %v, want %v", got, want)
	}
}

func TestOpenBytestream_Damaged(t *testing.T) {
	good := bytestream(512, 10, []testRecord{{1, -1, 1}, {2, 40, 2}})
	records := incHeaderSize + 3*(recHeaderSize+512)
	tests := []struct {
		name   string
		change func([]byte) []byte
		want   string
	}{
		{"label", func(b []byte) []byte { b[4] = '7'; return b }, `label is "GDSV7   INCREMENTAL BACKUP"`},
		{"empty", func([]byte) []byte { return nil }, "ends at 0"},
		{"block size", func(b []byte) []byte { b[incBlockSize] = 1; return b }, "block size 513"},
		{"transactions", func(b []byte) []byte { b[incEndTN] = 1; return b }, "transactions 100 to 1"},
		{"cut off in a record", func(b []byte) []byte { return b[:incHeaderSize+100] }, "ends at 400, within what begins at 300"},
		{"cut off after the records", func(b []byte) []byte { return b[:records] }, "within"},
		{"cut off in the map", func(b []byte) []byte { return b[:records+9000] }, "piece of 1000 bytes"},
		{"without its end", func(b []byte) []byte { return b[:len(b)-77-22] }, "within"},
		{"no mark", func(b []byte) []byte { b[records+5] = 'x'; return b }, `no "END OF SAVED BLOCKS`},
		{"another header", func(b []byte) []byte { b[records+24+4+offTotalV7]++; return b }, "its file header says 11 of 512"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.change(bytes.Clone(good))
			_, err := openBytes(b)
			if !errors.Is(err, errBytestream) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := openBytes(good); err != nil {
		t.Errorf("the one that is not damaged: %v", err)
	}
}

func FuzzOpenBytestream(f *testing.F) {
	f.Add(bytestream(512, 10, []testRecord{{1, -1, 1}, {2, 40, 2}, {1, 30, 3}, {9, -1, 4}, {11, -1, 5}}))
	f.Add(bytestream(1024, 0, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := openBytes(b)
		if err != nil {
			if !errors.Is(err, errBytestream) {
				t.Errorf("%v", err)
			}
			return
		}
		size, err := s.Size()
		if err != nil {
			t.Fatal(err)
		}
		if s.TotalBlocks > 1<<20 {
			return // a map for each 512 of them would take for ever
		}
		end := int64(0)
		for c, err := range s.Changes(int64(len(b)) % 2000) {
			if err != nil {
				t.Fatal(err)
			}
			if c.Offset < end || c.Offset+int64(len(c.Data)) > size {
				t.Fatalf("a change of %d bytes at %d after %d, in a file of %d", len(c.Data), c.Offset, end, size)
			}
			end = c.Offset + int64(len(c.Data))
		}
	})
}
