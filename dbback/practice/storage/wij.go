package storage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// wijName is the write image journal (InterSystems manual): the write daemon
// writes blocks to it before it writes them to the databases, so that a crash in
// the middle leaves no database half-written.
//
// What is in the file is the practice instance's own: a header of one block, then
// for each block of the cycle its place (u32 database, u32 block) and its bytes,
// then a table of databases. The header is written in one piece, before the first
// and after the last write to a database.
const (
	wijName   = "IRIS.WIJ"
	wijMagic  = "DATFS PRACTICE WIJ 1\n"
	wijEntry  = 8 + BlockSize
	wijHeader = BlockSize
)

// A checkpoint is a place in the journals: everything before it is in the
// databases.
type checkpoint struct {
	Journal  string `json:"journal"` // "": no journal yet
	Offset   int64  `json:"offset"`
	Required string `json:"required"` // oldest file with records of transactions open there
}

// wijHead is the header of a WIJ.
type wijHead struct {
	Active     bool       `json:"active"` // the blocks in it are not all in the databases
	Cycle      int64      `json:"cycle"`
	Checkpoint checkpoint `json:"checkpoint"`
	Base       int64      `json:"base"` // where they begin
	Blocks     int64      `json:"blocks"`
	Tail       int64      `json:"tail"` // size of the table of databases
}

// A wijBlock is a block on its way to a database.
type wijBlock struct {
	db uint32 // place in the table
	n  uint32
	b  []byte
}

func encodeWIJHead(h wijHead) ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	line := fmt.Sprintf("%s%08x %s\n", wijMagic, crc32.Checksum(text, castagnoli), text)
	if len(line) > wijHeader {
		return nil, ErrTooLong
	}
	b := make([]byte, wijHeader)
	copy(b, line)
	return b, nil
}

var errWIJ = errors.New("not a WIJ of the practice instance, or damaged; move it aside to start without it")

func parseWIJHead(b []byte) (h wijHead, err error) {
	rest, ok := bytes.CutPrefix(b, []byte(wijMagic))
	line, _, found := bytes.Cut(rest, []byte("\n"))
	sum, text, split := bytes.Cut(line, []byte(" "))
	if !ok || !found || !split {
		return h, errWIJ
	}
	if want, err := strconv.ParseUint(string(sum), 16, 32); err != nil || uint32(want) != crc32.Checksum(text, castagnoli) {
		return h, errWIJ
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, fmt.Errorf("%w: %w", errWIJ, err)
	}
	if h.Base < 0 || h.Base > 1<<44 || h.Blocks < 0 || h.Blocks > 1<<32 || h.Tail < 0 || h.Tail > 1<<26 {
		return h, errWIJ
	}
	return h, nil
}

// A wij is the open file.
type wij struct {
	f    *os.File
	path string
	head wijHead
}

// openWIJ opens the WIJ in a directory, or makes one. found tells which.
func openWIJ(dir string) (w *wij, found bool, err error) {
	w = &wij{path: filepath.Join(dir, wijName)}
	w.f, err = os.OpenFile(w.path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if w.f, err = os.OpenFile(w.path, os.O_RDWR|os.O_CREATE, 0o660); err != nil {
			return nil, false, err
		}
		if err := w.write(wijHead{}); err != nil {
			return nil, false, errors.Join(err, w.f.Close())
		}
		return w, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if st, err := w.f.Stat(); err == nil && st.Size() == 0 { // killed before the first header
		return w, false, w.write(wijHead{})
	}
	b := make([]byte, wijHeader)
	if _, err = w.f.ReadAt(b, 0); err == nil {
		w.head, err = parseWIJHead(b)
	}
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("%s: %w", w.path, err), w.f.Close())
	}
	return w, true, nil
}

// write replaces the header.
func (w *wij) write(h wijHead) error {
	b, err := encodeWIJHead(h)
	if err != nil {
		return err
	}
	if _, err := w.f.WriteAt(b, 0); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	w.head = h
	return nil
}

// fill writes the blocks of a cycle and the table of databases. The header is the
// caller's next step. It stops when stop says so.
//
// Blocks of a cycle before that did not reach all databases are still needed:
// these go behind them.
func (w *wij) fill(blocks []wijBlock, dirs []string, stop func() error) (base, tail int64, err error) {
	entry := make([]byte, wijEntry)
	base = wijHeader
	if w.head.Active {
		base = w.head.Base + w.head.Blocks*wijEntry + w.head.Tail
	}
	at := base
	for _, bl := range blocks {
		if err := stop(); err != nil {
			return 0, 0, err
		}
		le.PutUint32(entry, bl.db)
		le.PutUint32(entry[4:], bl.n)
		copy(entry[8:], bl.b)
		if _, err := w.f.WriteAt(entry, at); err != nil {
			return 0, 0, fmt.Errorf("%s: %w", w.path, err)
		}
		at += wijEntry
	}
	table, err := json.Marshal(dirs)
	if err != nil {
		return 0, 0, err
	}
	if _, err := w.f.WriteAt(table, at); err != nil {
		return 0, 0, fmt.Errorf("%s: %w", w.path, err)
	}
	return base, int64(len(table)), nil
}

// apply writes the blocks of an active WIJ to their databases, whatever these are
// by now: that is what makes a stale WIJ dangerous. Databases that do not exist
// are left out. It returns how many blocks it wrote.
func (w *wij) apply() (n int, err error) {
	if !w.head.Active {
		return 0, nil
	}
	table := make([]byte, w.head.Tail)
	if _, err := w.f.ReadAt(table, w.head.Base+w.head.Blocks*wijEntry); err != nil {
		return 0, fmt.Errorf("%s: %w: %w", w.path, errWIJ, err)
	}
	var dirs []string
	if err := json.Unmarshal(table, &dirs); err != nil {
		return 0, fmt.Errorf("%s: %w: %w", w.path, errWIJ, err)
	}
	files := make([]*os.File, len(dirs))
	defer func() {
		for _, f := range files {
			if f != nil {
				err = errors.Join(err, f.Close())
			}
		}
	}()
	for i, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, datName), os.O_RDWR, 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		files[i] = f
	}
	entry := make([]byte, wijEntry)
	for i := range w.head.Blocks {
		if _, err := w.f.ReadAt(entry, w.head.Base+i*wijEntry); err != nil {
			return n, fmt.Errorf("%s: %w: %w", w.path, errWIJ, err)
		}
		db, block := le.Uint32(entry), le.Uint32(entry[4:])
		if int(db) >= len(files) || block >= blocksPerMap {
			return n, fmt.Errorf("%s: %w", w.path, errWIJ)
		}
		if files[db] == nil {
			continue
		}
		if _, err := files[db].WriteAt(entry[8:], int64(block)*BlockSize); err != nil {
			return n, err
		}
		n++
	}
	h := w.head
	h.Active = false
	return n, w.write(h)
}
