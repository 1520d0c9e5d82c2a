package gtm

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// Offsets in the header of a journal file, little endian: GT.M's own
// (GTMDefinedTypesInitRelease.m, jnl_file_header), checked on files of V7.0-005.
const (
	jnlHeaderSize = 2048
	jnlLabel      = "GDSJNL" // and a version: "28" of V7.0-005

	jnlFirstTime = 192 // u64, bov_timestamp: seconds since 1970
	jnlLastTime  = 200 // u64, eov_timestamp
	jnlFirstTN   = 208 // u64, bov_tn
	jnlLastTN    = 216 // u64, eov_tn
	jnlEnd       = 240 // u32, end_of_data
	jnlCrash     = 252 // i32, crash
	jnlDataFile  = 328 // 256 bytes each: data_file_name, prev_jnl_file_name, next_
	jnlPrevFile  = 584
	jnlNextFile  = 840
	jnlNameSize  = 256
)

// ErrNotJournal means that a file is not a journal of GT.M.
var ErrNotJournal = errors.New("is not a journal file of GT.M")

// A JournalHeader is what a journal file says of itself. Of a file that is still
// written to, what concerns its end is of the last time the header was written.
type JournalHeader struct {
	Version  string // of the format: "28"
	FirstTN  uint64 // the database's transaction number when the file was begun
	LastTN   uint64 // and when it was ended
	First    time.Time
	Last     time.Time
	End      int64  // of the data, bytes
	Open     bool   // still written to, or cut off by a crash
	DataFile string // the database, absolute
	PrevFile string // the journal file before this one, "" if the link was cut
	NextFile string
}

// ParseJournal reads the header of a journal file from its first bytes, at least
// 2048. What is not one is an error that matches ErrNotJournal.
func ParseJournal(b []byte) (*JournalHeader, error) {
	if len(b) < jnlHeaderSize || !bytes.HasPrefix(b, []byte(jnlLabel)) {
		return nil, ErrNotJournal
	}
	u64 := func(off int) uint64 { return binary.LittleEndian.Uint64(b[off:]) }
	name := func(off int) string {
		field := b[off : off+jnlNameSize]
		n := bytes.IndexByte(field, 0)
		if n < 0 {
			n = len(field)
		}
		return counted(field, int64(n))
	}
	const maxSeconds = 1 << 40 // what is more is no time
	at := func(off int) time.Time { return time.Unix(int64(min(u64(off), maxSeconds)), 0).UTC() }
	return &JournalHeader{
		Version:  string(bytes.TrimRight(b[len(jnlLabel):len(jnlLabel)+2], "\x00")),
		FirstTN:  u64(jnlFirstTN),
		LastTN:   u64(jnlLastTN),
		First:    at(jnlFirstTime),
		Last:     at(jnlLastTime),
		End:      int64(binary.LittleEndian.Uint32(b[jnlEnd:])),
		Open:     binary.LittleEndian.Uint32(b[jnlCrash:]) != 0,
		DataFile: name(jnlDataFile),
		PrevFile: name(jnlPrevFile),
		NextFile: name(jnlNextFile),
	}, nil
}

// A JournalFile is a journal file and its header.
type JournalFile struct {
	JournalHeader
	Path string
}

// ReadJournal reads the header of a journal file.
func ReadJournal(path string) (*JournalFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, jnlHeaderSize)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, fmt.Errorf("%s %w: %w", path, ErrNotJournal, err)
	}
	h, err := ParseJournal(b)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return &JournalFile{*h, path}, nil
}

// journalsBack follows the links from a journal file back to the one that begins
// at or before the transaction number tn, and returns those that begin at tn or
// later, the oldest first.
func journalsBack(path string, tn uint64) ([]*JournalFile, error) {
	const most = 10000 // links lead in a circle only in a damaged file
	var out []*JournalFile
	for range most {
		j, err := ReadJournal(path)
		if err != nil {
			return nil, err
		}
		if j.FirstTN < tn {
			break
		}
		out = append(out, j)
		if j.FirstTN == tn || j.PrevFile == "" {
			break
		}
		path = j.PrevFile
	}
	slices.Reverse(out)
	return out, nil
}

// A JournalGapError means that no journal file has the updates between two
// transactions of a database.
type JournalGapError struct {
	Region   string
	From, To uint64 // transaction numbers; To 0: all that follow
}

func (e *JournalGapError) Error() string {
	if e.To == 0 {
		return fmt.Sprintf("region %s: no journal file begins at transaction %#x", e.Region, e.From)
	}
	return fmt.Sprintf("region %s: the journal files lack transactions %#x to %#x", e.Region, e.From, e.To)
}

// journalChain returns of the files, which are of one database, those that follow
// one another from transaction tn on, the oldest first. Of files that begin at
// the same transaction the one that goes further is taken. A hole in the middle
// is a *JournalGapError; files from before tn are left out.
func journalChain(region string, files []*JournalFile, tn uint64) ([]*JournalFile, error) {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b *JournalFile) int {
		return cmp.Or(cmp.Compare(a.FirstTN, b.FirstTN), -cmp.Compare(a.LastTN, b.LastTN), -cmp.Compare(a.End, b.End))
	})
	files = slices.CompactFunc(files, func(a, b *JournalFile) bool { return a.FirstTN == b.FirstTN })
	var chain []*JournalFile
	next := tn
	for _, j := range files {
		if j.FirstTN < tn {
			continue
		}
		if j.FirstTN != next {
			return nil, &JournalGapError{region, next, j.FirstTN}
		}
		chain = append(chain, j)
		next = max(j.FirstTN, j.LastTN)
	}
	return chain, nil
}
