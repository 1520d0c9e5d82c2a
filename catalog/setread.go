package catalog

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"datfs/catalog/pack"
)

const (
	sealedSuffix  = ".set"
	partialSuffix = ".partial"
)

// A setFile is a set file open for reading. It is safe for concurrent use.
type setFile struct {
	f     *os.File
	name  string // relative to the repository, for errors
	num   uint64 // of this open file: its pages' key in caches
	info  *SetInfo
	packs []pack.ID
	index []int64       // sealed: offset of each file's first index record
	pages [][]pagePlace // partial: places of each file's pages
	dec   *pack.Decompressor
}

var setFileCount atomic.Uint64

// maxFileSize is the largest file: what is longer would overflow when it is
// counted in blocks.
const maxFileSize = math.MaxInt64 - pack.MaxFrame

// openSetFile opens a set file, sealed or partial. The info's state says
// whether a partial one still has a writer if running does.
func openSetFile(dir, name string, dec *pack.Decompressor) (*setFile, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	s := &setFile{f: f, name: name, num: setFileCount.Add(1), dec: dec}
	if strings.HasSuffix(name, sealedSuffix) {
		err = s.readSealed()
	} else {
		err = s.readPartial()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.info = s.info.withoutNotes()
	return s, nil
}

func (s *setFile) close() error { return s.f.Close() }

// damaged makes an error of what is wrong at an offset. A newer format is not
// damage.
func (s *setFile) damaged(offset int64, err error) error {
	if errors.Is(err, ErrNewerFormat) {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return &CorruptError{Path: s.name, Offset: offset, Err: err}
}

// readRecord reads the record at offset, of the given length or, if that is 0,
// of the length that its header says, and checks it. It returns the raw
// payload.
func (s *setFile) readRecord(offset int64, length uint32) (record, []byte, error) {
	size := int64(length)
	if length == 0 {
		h := make([]byte, recordHeaderSize)
		if err := s.checkRange(offset, recordHeaderSize); err != nil {
			return record{}, nil, err
		}
		if err := s.readAt(h, offset); err != nil {
			return record{}, nil, err
		}
		r, err := parseRecordHeader(h)
		if err != nil {
			return record{}, nil, s.damaged(offset, err)
		}
		size = r.size()
	}
	if err := s.checkRange(offset, size); err != nil { // before that much memory is asked for
		return record{}, nil, err
	}
	b := make([]byte, size)
	if err := s.readAt(b, offset); err != nil {
		return record{}, nil, err
	}
	r, payload, err := checkRecord(b)
	if err != nil {
		return record{}, nil, s.damaged(offset, err)
	}
	if payload, err = s.decode(r, payload); err != nil {
		return record{}, nil, s.damaged(offset, err)
	}
	return r, payload, nil
}

// checkRange checks that there may be a record of the given size at offset.
func (s *setFile) checkRange(offset, size int64) error {
	st, err := s.f.Stat()
	if err != nil {
		return err
	}
	if size > recordHeaderSize+maxRecord || offset < 0 || size > st.Size()-offset {
		return s.damaged(offset, fmt.Errorf("%w: record of %d bytes in a file of %d", errSetFile, size, st.Size()))
	}
	return nil
}

// decode returns the raw payload of a record.
func (s *setFile) decode(r record, stored []byte) ([]byte, error) {
	if pack.Codec(r.codec) == pack.CodecRaw {
		return stored, nil
	}
	f := pack.Frame{Stored: r.stored, Raw: r.raw, Codec: pack.Codec(r.codec), Sum: pack.Sum64(stored)}
	return s.dec.Decode(f, stored, nil)
}

func (s *setFile) readAt(b []byte, offset int64) error {
	n, err := s.f.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return s.damaged(offset, fmt.Errorf("%w: ends after %d of %d bytes", errSetFile, n, len(b)))
	}
	return fmt.Errorf("read %s: %w", s.name, err)
}

// readHeader checks the header and returns the size of the file.
func (s *setFile) readHeader() (setHeader, int64, error) {
	st, err := s.f.Stat()
	if err != nil {
		return setHeader{}, 0, err
	}
	b := make([]byte, setHeaderSize)
	if err := s.readAt(b, 0); err != nil {
		return setHeader{}, 0, err
	}
	h, err := parseSetHeader(b)
	if err != nil {
		return setHeader{}, 0, s.damaged(0, err)
	}
	return h, st.Size(), nil
}

// readSealed reads what the end of a sealed set says.
func (s *setFile) readSealed() error {
	h, size, err := s.readHeader()
	if err != nil {
		return err
	}
	b := make([]byte, setFooterSize)
	at := max(size-setFooterSize, 0)
	if err := s.readAt(b, at); err != nil {
		return err
	}
	footer, err := parseSetFooter(b, size)
	if err != nil {
		return s.damaged(at, err)
	}
	if footer.id != h.id {
		return s.damaged(at, fmt.Errorf("%w: header and footer are of two sets", errSetFile))
	}
	r, payload, err := s.readRecord(footer.table, 0)
	if err != nil {
		return err
	}
	if r.kind != kindTable {
		return s.damaged(footer.table, fmt.Errorf("%w: no table of packs", errSetFile))
	}
	if err := s.addPacks(payload, 0); err != nil {
		return s.damaged(footer.table, err)
	}
	if r, payload, err = s.readRecord(footer.meta, 0); err != nil {
		return err
	}
	var m metaRecord
	if err := json.Unmarshal(payload, &m); err != nil || r.kind != kindMeta {
		return s.damaged(footer.meta, fmt.Errorf("%w: no metadata", errSetFile))
	}
	s.info, s.index = m.Set, m.Index
	return s.checkInfo(footer.meta)
}

// checkInfo checks what the rest of the package relies on.
func (s *setFile) checkInfo(offset int64) error {
	if s.info == nil || len(s.index) != len(s.info.Files) {
		return s.damaged(offset, fmt.Errorf("%w: index of %d files", errSetFile, len(s.index)))
	}
	for i := range s.info.Files {
		f := &s.info.Files[i]
		if f.Size < 0 || f.Size > maxFileSize || f.BlockSize <= 0 || f.BlockSize > pack.MaxFrame {
			return s.damaged(offset, fmt.Errorf("%w: file %s of %d bytes in blocks of %d", errSetFile, f.Path, f.Size, f.BlockSize))
		}
	}
	return nil
}

// addPacks appends to the table of packs, whose next index must be first.
func (s *setFile) addPacks(payload []byte, first uint32) error {
	if int(first) != len(s.packs) || len(payload)%16 != 0 {
		return fmt.Errorf("%w: %d bytes of packs from %d on, %d are known", errSetFile, len(payload), first, len(s.packs))
	}
	for ; len(payload) > 0; payload = payload[16:] {
		s.packs = append(s.packs, pack.ID(payload))
	}
	return nil
}

// place returns where the record of a file's page is.
func (s *setFile) place(file int, number int64) (pagePlace, error) {
	if s.pages != nil {
		if number >= int64(len(s.pages[file])) {
			return pagePlace{}, s.damaged(0, fmt.Errorf("%w: file %d has no page %d", errSetFile, file, number))
		}
		return s.pages[file][number], nil
	}
	group := number / indexGroup
	offset := s.index[file] + group*(recordHeaderSize+indexGroup*indexEntrySize)
	r, payload, err := s.readRecord(offset, 0)
	if err != nil {
		return pagePlace{}, err
	}
	at := int(number%indexGroup) * indexEntrySize
	if r.kind != kindIndex || r.file != uint32(file) || r.number != uint32(group) || at+indexEntrySize > len(payload) {
		return pagePlace{}, s.damaged(offset, fmt.Errorf("%w: no index of file %d, page %d", errSetFile, file, number))
	}
	return pagePlace{
		offset: int64(binary.LittleEndian.Uint64(payload[at:])),
		length: binary.LittleEndian.Uint32(payload[at+8:]),
	}, nil
}

// page reads a page of a file that covers so many blocks.
func (s *setFile) page(file int, number int64, blocks uint32) (page, error) {
	at, err := s.place(file, number)
	if err != nil {
		return nil, err
	}
	if at == (pagePlace{}) {
		return page{{count: blocks, pack: hole}}, nil
	}
	if at.offset < 0 || at.length < recordHeaderSize {
		return nil, s.damaged(at.offset, fmt.Errorf("%w: page record of %d bytes", errSetFile, at.length))
	}
	r, payload, err := s.readRecord(at.offset, at.length)
	if err != nil {
		return nil, err
	}
	if r.kind != kindPage || r.file != uint32(file) || int64(r.number) != number {
		return nil, s.damaged(at.offset, fmt.Errorf("%w: no page %d of file %d", errSetFile, number, file))
	}
	p, err := parsePage(payload, len(s.packs))
	if err == nil && p.blocks() != blocks {
		err = fmt.Errorf("%w: covers %d blocks, not %d", errPage, p.blocks(), blocks)
	}
	if err != nil {
		return nil, s.damaged(at.offset, err)
	}
	return p, nil
}
