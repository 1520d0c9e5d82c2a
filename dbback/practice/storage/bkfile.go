package storage

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"syscall"
	"time"
)

// A backup file is a line that names the format, then parts: type (1 byte), u32
// length, that many bytes, u32 CRC-32C of all three. The format of InterSystems is
// not public; that one file interleaves all databases, pass by pass, is.
const backupMagic = "DATFS PRACTICE BACKUP 1\n"

// Types of parts, in the order they come.
const (
	partLabel   = 'H' // BackupInfo as far as known at the start, JSON
	partMarker  = 'M' // backupMarker, JSON; before the last pass
	partCopy    = 'D' // u16 pass, u16 database: its blocks follow
	partBlock   = 'B' // u32 number, BlockSize bytes
	partTrailer = 'T' // BackupInfo, JSON; nothing follows

	partHead = 5
	maxPart  = 1 << 24
)

// BackupInfo is the label of a backup file, and its trailer.
type BackupInfo struct {
	Type        BackupType       `json:"type"`
	Time        time.Time        `json:"time"`
	Description string           `json:"description"`
	Node        string           `json:"node"`
	Previous    *HistoryEntry    `json:"previous,omitempty"` // the backup before, nil if none
	LastFull    *HistoryEntry    `json:"last_full,omitempty"`
	Databases   []BackupDatabase `json:"databases"`
	Blocks      int64            `json:"blocks"`
	Bytes       int64            `json:"-"`
	Marker      string           `json:"marker"`   // journal file
	Offset      int64            `json:"offset"`   // in it
	Required    string           `json:"required"` // oldest journal file needed to restore
}

// BackupDatabase is a database in a backup file.
type BackupDatabase struct {
	Directory string `json:"directory"`
	Resource  string `json:"resource"`
	FileSize  int64  `json:"file_size"` // bytes, of the database at the end of the backup
	Blocks    int64  `json:"blocks"`    // in the backup file
}

// A partWriter writes a backup file.
type partWriter struct {
	f     *os.File
	w     *bufio.Writer
	n     int64
	limit int64 // 0: none
	buf   []byte
}

func createBackup(path string, limit int64) (*partWriter, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := &partWriter{f: f, w: bufio.NewWriterSize(f, 256<<10), limit: limit}
	if err := w.write([]byte(backupMagic)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

// write writes bytes, up to the limit.
func (w *partWriter) write(b []byte) error {
	if w.limit > 0 && w.n+int64(len(b)) > w.limit {
		return &os.PathError{Op: "write", Path: w.f.Name(), Err: syscall.ENOSPC}
	}
	n, err := w.w.Write(b)
	w.n += int64(n)
	return err
}

// part writes a part.
func (w *partWriter) part(typ byte, payload ...[]byte) error {
	w.buf = append(w.buf[:0], typ, 0, 0, 0, 0)
	for _, p := range payload {
		w.buf = append(w.buf, p...)
	}
	le.PutUint32(w.buf[1:], uint32(len(w.buf)-partHead))
	w.buf = le.AppendUint32(w.buf, crc32.Checksum(w.buf, castagnoli))
	return w.write(w.buf)
}

func (w *partWriter) json(typ byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.part(typ, b)
}

// close writes what is buffered.
func (w *partWriter) close() error { return errors.Join(w.w.Flush(), w.f.Close()) }

// abandon closes the file as it is.
func (w *partWriter) abandon() error { return w.f.Close() }

// A partReader reads a backup file.
type partReader struct {
	f *os.File
	r *bufio.Reader
	n int64
}

func openBackup(path string) (*partReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &partReader{f: f, r: bufio.NewReaderSize(f, 256<<10)}
	magic := make([]byte, len(backupMagic))
	if n, err := io.ReadFull(r.r, magic); err != nil || string(magic) != backupMagic {
		if n > 0 && err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.Join(err, f.Close())
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", path, ErrNotBackup), f.Close())
	}
	r.n = int64(len(magic))
	return r, nil
}

func (r *partReader) bad(what string) error {
	return fmt.Errorf("%s: %w: at byte %d: %s", r.f.Name(), ErrBadBackup, r.n, what)
}

// next returns the next part. The payload is valid until the call after.
func (r *partReader) next() (typ byte, payload []byte, err error) {
	head, err := r.r.Peek(partHead)
	if err != nil {
		return 0, nil, r.bad("it ends without a trailer")
	}
	n := int64(le.Uint32(head[1:]))
	if n > maxPart {
		return 0, nil, r.bad("a part is too long")
	}
	b := make([]byte, partHead+n+4)
	if _, err := io.ReadFull(r.r, b); err != nil {
		return 0, nil, r.bad("it ends within a part")
	}
	end := partHead + n
	if crc32.Checksum(b[:end], castagnoli) != le.Uint32(b[end:]) {
		return 0, nil, r.bad("a checksum is wrong")
	}
	r.n += int64(len(b))
	return b[0], b[partHead:end], nil
}

func (r *partReader) close() error { return r.f.Close() }
