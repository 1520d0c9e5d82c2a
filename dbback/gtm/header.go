package gtm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// HeaderSize is the length of a database's file header in bytes, in both
// formats. The master map follows it.
const HeaderSize = 8192

// The formats of database files, as sets name them: that of GT.M V6 and of V7.
const (
	FormatV6 = "gtm-v6"
	FormatV7 = "gtm-v7"
)

// What the fields of a header may be, to be safe to calculate with.
const (
	minBlockSize = 512
	maxBlockSize = 65024
	maxBlocks    = 1 << 44
)

// maxIncrementalBlockSize is the largest block size that MUPIP BACKUP
// -BYTESTREAM takes: seen with V7.0-005, which refuses 32768 and more.
const maxIncrementalBlockSize = 32256

// ErrNotDatabase means that a file is not a GT.M database of a known format.
var ErrNotDatabase = errors.New("is not a GT.M database of a known format")

// Offsets in the file header, little endian. They are GT.M's own: its routine
// GTMDefinedTypesInitRelease.m lists them by name, as sgmnt_data, and
// they were checked on files of V7.0-005.
const (
	offLabel      = 0    // 12 bytes
	offBlockSize  = 12   // i32, blk_size
	offMapLenV6   = 16   // i32, v6_master_map_len
	offMapBlocks  = 20   // i32, bplmap
	offStartV6    = 24   // i32, v6_start_vbn: units of 512 bytes, from 1
	offAccess     = 28   // i32, acc_meth: 1 BG, 2 MM
	offCorrupt    = 108  // i32, file_corrupt
	offCreating   = 180  // i32, createinprogress
	offIncBackup  = 208  // u64, last_inc_backup
	offFreeze     = 300  // i32, freeze
	offTNV6       = 384  // u64, v6_trans_hist.curr_tn; early_tn and last_mm_sync follow
	offTotalV6    = 432  // i32, v6_trans_hist.total_blks; free_blocks follows
	offSemID      = 512  // i32, semid; shmid follows, then their two times
	offReplState  = 736  // i32, repl_state: 0 closed
	offBefore     = 908  // i32, jnl_before_image
	offJnlState   = 912  // i32, jnl_state
	offJnlNameLen = 916  // u32, jnl_file_len
	offJnlName    = 1024 // 256 bytes, jnl_file_name
	offMapLenV7   = 4816 // i64, master_map_len
	offStartV7    = 4824 // i64, start_vbn
	offTNV7       = 4920 // u64, trans_hist.curr_tn; early_tn follows
	offTotalV7    = 4960 // i64, trans_hist.total_blks; free_blocks follows
	offEncrypted  = 6168 // u32, is_encrypted
)

// vbn is the unit in which a header gives places in the file.
const vbn = 512

// A JournalState says whether updates of a database are journaled.
type JournalState int32

// The journal states.
const (
	JournalDisabled JournalState = 0 // journaling is not allowed
	JournalOff      JournalState = 1
	JournalOn       JournalState = 2
)

// A Header is the file header of a database, as far as a backup needs it.
type Header struct {
	Format    string // FormatV6 or FormatV7
	BlockSize int64  // bytes: 512 to 65024, a multiple of 512
	Start     int64  // offset of block 0, bytes
	MapLen    int64  // length of the master map behind the header, bytes

	TN          uint64 // the current transaction number, as far as it was written
	EarlyTN     uint64
	IncBackupTN uint64 // of the last incremental backup, 0 or 1: none
	TotalBlocks int64  // without the block of zeros at the end
	FreeBlocks  int64

	MemoryMapped bool // access method MM, not BG
	Encrypted    bool
	Replicated   bool
	Frozen       bool
	Corrupt      bool // marked so, or its creation was cut off
	SemID, ShmID int32

	Journal     JournalState
	BeforeImage bool   // journals hold before-images
	JournalFile string // "" if none
}

// FileSize returns how many bytes the file has by its header's account: one
// block of zeros ends it.
func (h *Header) FileSize() int64 { return h.Start + (h.TotalBlocks+1)*h.BlockSize }

// BlockOffset returns where block n begins in the file.
func (h *Header) BlockOffset(n int64) int64 { return h.Start + n*h.BlockSize }

// InUse returns whether the header names a semaphore or a shared memory segment,
// as it does while an engine has the database open, or had when it was killed.
// A copy of a file in use says the same.
func (h *Header) InUse() bool {
	named := func(id int32) bool { return id != -1 }
	return named(h.SemID) || named(h.ShmID)
}

// ParseHeader reads a header from the first bytes of a database, at least
// HeaderSize. What is not one is an error that matches ErrNotDatabase.
func ParseHeader(b []byte) (*Header, error) {
	if len(b) < HeaderSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrNotDatabase, len(b))
	}
	u32 := func(off int) uint32 { return binary.LittleEndian.Uint32(b[off:]) }
	i32 := func(off int) int64 { return int64(int32(u32(off))) }
	u64 := func(off int) uint64 { return binary.LittleEndian.Uint64(b[off:]) }
	h := &Header{
		BlockSize:    i32(offBlockSize),
		IncBackupTN:  u64(offIncBackup),
		MemoryMapped: u32(offAccess) == 2,
		Encrypted:    u32(offEncrypted) != 0,
		Replicated:   u32(offReplState) != 0,
		Frozen:       u32(offFreeze) != 0,
		Corrupt:      u32(offCorrupt) != 0 || u32(offCreating) != 0,
		SemID:        int32(u32(offSemID)),
		ShmID:        int32(u32(offSemID + 4)),
		Journal:      JournalState(i32(offJnlState)),
		BeforeImage:  u32(offBefore) != 0,
		JournalFile:  counted(b[offJnlName:offJnlName+256], i32(offJnlNameLen)),
	}
	var start int64
	switch string(b[offLabel : offLabel+12]) {
	case "GDSDYNUNX03\x00":
		h.Format, h.MapLen, start = FormatV6, i32(offMapLenV6), i32(offStartV6)
		h.TN, h.EarlyTN = u64(offTNV6), u64(offTNV6+8)
		h.TotalBlocks, h.FreeBlocks = i32(offTotalV6), i32(offTotalV6+4)
	case "GDSDYNUNX04\x00":
		h.Format, h.MapLen, start = FormatV7, int64(u64(offMapLenV7)), int64(u64(offStartV7))
		h.TN, h.EarlyTN = u64(offTNV7), u64(offTNV7+8)
		h.TotalBlocks, h.FreeBlocks = int64(u64(offTotalV7)), int64(u64(offTotalV7+8))
	default:
		return nil, fmt.Errorf("%w: its label is %q", ErrNotDatabase, bytes.TrimRight(b[:12], "\x00"))
	}
	return h, h.check(start, i32(offMapBlocks))
}

// check holds the fields to what can be calculated with, and sets Start.
func (h *Header) check(startVBN, mapOf int64) error {
	switch {
	case h.BlockSize < minBlockSize || h.BlockSize > maxBlockSize || h.BlockSize%minBlockSize != 0:
		return fmt.Errorf("%w: block size %d", ErrNotDatabase, h.BlockSize)
	case mapOf != mapBlocks:
		return fmt.Errorf("%w: local maps of %d blocks", ErrNotDatabase, mapOf)
	case startVBN < 1+HeaderSize/vbn || startVBN > maxBlocks:
		return fmt.Errorf("%w: block 0 at unit %d", ErrNotDatabase, startVBN)
	case h.TotalBlocks < 0 || h.TotalBlocks > maxBlocks:
		return fmt.Errorf("%w: %d blocks", ErrNotDatabase, h.TotalBlocks)
	}
	h.Start = (startVBN - 1) * vbn
	if h.MapLen < 0 || h.MapLen > h.Start-HeaderSize {
		return fmt.Errorf("%w: master map of %d bytes before block 0 at %d", ErrNotDatabase, h.MapLen, h.Start)
	}
	return nil
}

// ReadHeader reads the header of a database file.
func ReadHeader(r io.ReaderAt) (*Header, error) {
	b := make([]byte, HeaderSize)
	if n, err := r.ReadAt(b, 0); n < len(b) {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: it has %d bytes", ErrNotDatabase, n)
		}
		return nil, err
	}
	return ParseHeader(b)
}

// setTN makes tn the transaction number of a header: MUPIP RESTORE wants it to
// be the start of the incremental. A V7 engine keeps it in a header of format
// V6 twice, an engine of V6 does not know of the second place.
func setTN(b []byte, format string, tn uint64) {
	put := func(off int) {
		binary.LittleEndian.PutUint64(b[off:], tn)
		binary.LittleEndian.PutUint64(b[off+8:], tn)
	}
	if format == FormatV7 {
		put(offTNV7)
		return
	}
	put(offTNV6)
	if binary.LittleEndian.Uint64(b[offTNV7:]) != 0 {
		put(offTNV7)
	}
}

// clearIDs makes a header name no semaphore and no shared memory, as after MUPIP
// RUNDOWN.
func clearIDs(b []byte) {
	binary.LittleEndian.PutUint64(b[offSemID:], ^uint64(0))
	clear(b[offSemID+8 : offSemID+24])
}

// disableJournal makes a header say that the database is not journaled, as MUPIP
// SET -JOURNAL=DISABLE does.
func disableJournal(b []byte) {
	binary.LittleEndian.PutUint32(b[offJnlState:], uint32(JournalDisabled))
	binary.LittleEndian.PutUint32(b[offJnlNameLen:], 0)
}

// counted returns the string of n bytes in a field. A length that does not fit is
// no string.
func counted(field []byte, n int64) string {
	if n < 0 || n > int64(len(field)) {
		return ""
	}
	s := strings.TrimRight(string(field[:n]), "\x00")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}
