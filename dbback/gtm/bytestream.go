package gtm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// The layout of a file that MUPIP BACKUP -BYTESTREAM makes: read off files of
// V7.0-005, whose source calls it inc_header and shmpool_blk_hdr_t.
const (
	incLabel      = "GDSV8   INCREMENTAL BACKUP"
	incHeaderSize = 300 // the minor database version is the last field

	incRegion    = 40 // 31 bytes
	incRegionLen = 31
	incStartTN   = 72 // u64
	incEndTN     = 80 // u64
	incTotal     = 88 // i64, blocks of the database
	incBlockSize = 96 // u32

	recHeaderSize = 40 // before each block
	recBlock      = 16 // i64, number
	recVersion    = 24 // i32, -1: the whole block as on disk; else a before-image
	recValid      = 32 // i32

	blockUsed = 4 // u32 in a block's own header, bsiz: bytes of it that count
	blockTN   = 8 // u64
)

// A local map says of mapBlocks blocks, of which it is the first, which are in
// use: two bits each behind its block header.
const (
	mapBlocks = 512
	mapUsed   = 16 + mapBlocks/4
)

// What follows the records, each piece after an i32 length that includes itself.
const (
	endOfBlocks = "END OF SAVED BLOCKS\x00"
	endOfHeader = "END OF FILE HEADER\x00"
	endOfMap    = "END OF MASTER MAP\x00"
	maxPiece    = 1 << 20
	maxPieces   = 1 << 12 // of the master map
)

// errBytestream is what every fault of an incremental matches.
var errBytestream = errors.New("is not a bytestream backup of a known format")

// A Bytestream is an incremental backup, the file that MUPIP BACKUP -BYTESTREAM
// makes. It is read only. Where there are many blocks in it, the list of them is in a
// temporary file until Close, so that memory does not grow with it.
//
// A block may be in it twice: as it was when the backup came by, and, if an
// update came before that, as it was at the end TN (a before-image that the
// updating process saved). The later record wins.
type Bytestream struct {
	Region      string
	StartTN     uint64 // of the first change in it: what the copy's header must say for MUPIP RESTORE
	EndTN       uint64 // the database is restored as of here
	TotalBlocks int64
	BlockSize   int64
	Records     int64 // blocks in it, with those that are in it twice

	r       io.ReaderAt
	size    int64
	records records
	header  []byte  // file header of the database at the end TN
	mapAt   []piece // where the master map is
}

// A piece is a stretch of the incremental.
type piece struct{ at, length int64 }

// OpenBytestream reads where everything is in an incremental of size bytes. dir is
// for a temporary file, "" for the usual place.
func OpenBytestream(r io.ReaderAt, size int64, dir string) (*Bytestream, error) {
	s := &Bytestream{r: r, size: size, records: records{dir: dir}}
	if err := s.readHeader(); err != nil {
		return nil, err
	}
	at, err := s.readRecords()
	if err == nil {
		err = s.readTail(at)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close gives back what was opened for the incremental, not its file.
func (s *Bytestream) Close() error { return s.records.Close() }

// readHeader reads what the first bytes say.
func (s *Bytestream) readHeader() error {
	b := make([]byte, incHeaderSize)
	if err := s.read(b, 0); err != nil {
		return err
	}
	if !bytes.HasPrefix(b, []byte(incLabel)) {
		return fmt.Errorf("%w: its label is %q", errBytestream, b[:len(incLabel)])
	}
	s.Region = counted(b[incRegion:], incRegionLen)
	s.StartTN = binary.LittleEndian.Uint64(b[incStartTN:])
	s.EndTN = binary.LittleEndian.Uint64(b[incEndTN:])
	s.TotalBlocks = int64(binary.LittleEndian.Uint64(b[incTotal:]))
	s.BlockSize = int64(binary.LittleEndian.Uint32(b[incBlockSize:]))
	if s.BlockSize < minBlockSize || s.BlockSize > maxBlockSize || s.BlockSize%minBlockSize != 0 {
		return fmt.Errorf("%w: block size %d", errBytestream, s.BlockSize)
	}
	if s.TotalBlocks < 0 || s.TotalBlocks > maxBlocks || s.EndTN < s.StartTN {
		return fmt.Errorf("%w: %d blocks, transactions %d to %d", errBytestream, s.TotalBlocks, s.StartTN, s.EndTN)
	}
	return nil
}

// readRecords finds the records and returns where they end.
func (s *Bytestream) readRecords() (int64, error) {
	b := make([]byte, recHeaderSize)
	at := int64(incHeaderSize)
	for ; ; at += recHeaderSize + s.BlockSize {
		if err := s.read(b, at); err != nil {
			return 0, err
		}
		block := int64(binary.LittleEndian.Uint64(b[recBlock:]))
		if block == 0 && binary.LittleEndian.Uint32(b[recValid:]) == 0 {
			break
		}
		if block < 0 {
			return 0, fmt.Errorf("%w: block %d at %d", errBytestream, block, at)
		}
		if s.size-at < recHeaderSize+s.BlockSize {
			return 0, s.cutOff(at)
		}
		s.Records++
		if block < s.TotalBlocks { // MUPIP RESTORE leaves the others out: the file was cut meanwhile
			if err := s.records.add(record{block, at}); err != nil {
				return 0, err
			}
		}
	}
	return at + recHeaderSize + s.BlockSize, s.records.done()
}

// readTail reads what follows the records: the file header and the master map.
func (s *Bytestream) readTail(at int64) error {
	next := func() (piece, error) {
		var b [4]byte
		if err := s.read(b[:], at); err != nil {
			return piece{}, err
		}
		p := piece{at + 4, int64(int32(binary.LittleEndian.Uint32(b[:]))) - 4}
		if p.length <= 0 || p.length > maxPiece || p.length > s.size-p.at {
			return piece{}, fmt.Errorf("%w: piece of %d bytes at %d", errBytestream, p.length, at)
		}
		at = p.at + p.length
		return p, nil
	}
	is := func(p piece, mark string) bool {
		b := make([]byte, len(mark))
		return p.length == int64(len(mark)) && s.read(b, p.at) == nil && string(b) == mark
	}
	expect := func(mark string) error {
		p, err := next()
		if err == nil && !is(p, mark) {
			err = fmt.Errorf("%w: no %q at %d", errBytestream, mark, p.at)
		}
		return err
	}
	if err := expect(endOfBlocks); err != nil {
		return err
	}
	p, err := next()
	if err != nil {
		return err
	}
	if p.length != HeaderSize {
		return fmt.Errorf("%w: file header of %d bytes", errBytestream, p.length)
	}
	s.header = make([]byte, HeaderSize)
	if err := errors.Join(s.read(s.header, p.at), expect(endOfHeader)); err != nil {
		return err
	}
	room, err := s.mapRoom()
	if err != nil {
		return err
	}
	for {
		p, err := next()
		if err != nil || is(p, endOfMap) {
			return err
		}
		if room -= p.length; room < 0 || len(s.mapAt) == maxPieces {
			return fmt.Errorf("%w: its master map is longer, or in more pieces, than that of any database", errBytestream)
		}
		s.mapAt = append(s.mapAt, p)
	}
}

// mapRoom holds what the file header says to what the beginning said, and returns
// how long the master map may be.
func (s *Bytestream) mapRoom() (int64, error) {
	h, err := ParseHeader(s.header)
	if err != nil {
		return 0, fmt.Errorf("%w: its file header %w", errBytestream, err)
	}
	if h.BlockSize != s.BlockSize || h.TotalBlocks != s.TotalBlocks {
		return 0, fmt.Errorf("%w: %d blocks of %d, but its file header says %d of %d",
			errBytestream, s.TotalBlocks, s.BlockSize, h.TotalBlocks, h.BlockSize)
	}
	return h.Start - HeaderSize, nil
}

// Header returns the database's header at the end TN. A restored file's is the
// same but for what names the running engine.
func (s *Bytestream) Header() (*Header, error) { return ParseHeader(s.header) }

// A BlockChange is what an incremental says of one block: the first bytes of the
// block as it becomes, all of them unless only a before-image is in it, whose
// unused rest was not saved.
type BlockChange struct {
	Block int64
	Data  []byte // valid until the next change is asked for
}

// Blocks yields every block that is in the incremental once, in order, as it is
// in the end.
func (s *Bytestream) Blocks() iter.Seq2[BlockChange, error] {
	return func(yield func(BlockChange, error) bool) {
		rec := make([]byte, recHeaderSize+s.BlockSize)
		out := make([]byte, s.BlockSize)
		block, used := int64(-1), int64(0)
		for r, err := range s.records.all() {
			if err == nil && r.block != block && block >= 0 {
				if !yield(BlockChange{block, out[:used]}, nil) {
					return
				}
				used = 0
			}
			if err == nil {
				err = s.read(rec, r.at)
			}
			if err != nil {
				yield(BlockChange{}, err)
				return
			}
			block = r.block
			n := s.saved(rec)
			copy(out[:n], rec[recHeaderSize:])
			used = max(used, n)
		}
		if block >= 0 {
			yield(BlockChange{block, out[:used]}, nil)
		}
	}
}

// saved returns how many bytes of a record's block were saved, and are written
// by a restore: of a before-image those in use, rounded up to an even number.
func (s *Bytestream) saved(rec []byte) int64 {
	if int32(binary.LittleEndian.Uint32(rec[recVersion:])) == -1 {
		return s.BlockSize
	}
	used := int64(binary.LittleEndian.Uint32(rec[recHeaderSize+blockUsed:]))
	return min(s.BlockSize, (used+1)&^1)
}

func (s *Bytestream) cutOff(at int64) error {
	return fmt.Errorf("%w: it ends at %d, within what begins at %d", errBytestream, s.size, at)
}

// read reads all of b at off.
func (s *Bytestream) read(b []byte, off int64) error {
	if int64(len(b)) > s.size-off {
		return s.cutOff(off)
	}
	n, err := s.r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return s.cutOff(off)
	}
	return err
}
