package catalog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// errNotBegun means that a backup was killed before its set had a beginning.
// There is no such set then.
var errNotBegun = fmt.Errorf("the set has no beginning: %w", os.ErrNotExist)

// readPartial reads the records of a set that was not sealed, up to the first
// that is not whole: the backup that wrote it was cut off there, or is still
// writing. Pages may name packs that never were published; who reads blocks
// finds out.
func (s *setFile) readPartial() error {
	if st, err := s.f.Stat(); err != nil || st.Size() < setHeaderSize {
		return errors.Join(err, errNotBegun)
	}
	_, size, err := s.readHeader()
	if err != nil {
		return err
	}
	if _, err := s.f.Seek(setHeaderSize, io.SeekStart); err != nil {
		return err
	}
	p := partialReader{s: s, current: -1}
	if err := p.readAll(bufio.NewReaderSize(s.f, 256<<10), size); err != nil {
		return err
	}
	if s.info == nil {
		return errNotBegun
	}
	p.endFile(nil)
	s.info.State = StateInterrupted
	s.info.sumFiles()
	if s.pages == nil {
		s.pages = [][]pagePlace{}
	}
	return nil
}

// A partialReader collects what the records of a partial set say.
type partialReader struct {
	s       *setFile
	offset  int64
	file    FileInfo // the current one
	current int64    // its index in the set file; -1: none
	places  []pagePlace
	last    uint32 // blocks of the last page
}

// readAll reads the records of a file that had the given size when it was
// opened.
func (p *partialReader) readAll(r *bufio.Reader, size int64) error {
	p.offset = setHeaderSize
	buf := make([]byte, recordHeaderSize)
	for {
		if _, err := io.ReadFull(r, buf[:recordHeaderSize]); err != nil {
			return torn(err)
		}
		h, err := parseRecordHeader(buf)
		if err != nil {
			return torn(err)
		}
		if h.size() > size-p.offset { // before that much memory is asked for
			return nil
		}
		if n := int(h.size()); cap(buf) < n {
			buf = append(buf[:recordHeaderSize], make([]byte, n-recordHeaderSize)...)
		}
		buf = buf[:h.size()]
		if _, err := io.ReadFull(r, buf[recordHeaderSize:]); err != nil {
			return torn(err)
		}
		rec, payload, err := checkRecord(buf)
		if err != nil {
			return torn(err)
		}
		if err := p.record(rec, payload); err != nil {
			return p.s.damaged(p.offset, err)
		}
		p.offset += rec.size()
		buf = buf[:recordHeaderSize]
	}
}

// torn returns nil for an error that says where the records end: at the end of
// the file, or at the first that is not whole.
func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errSetFile) {
		return nil
	}
	return err
}

// record takes in a record that has passed its sum.
func (p *partialReader) record(r record, payload []byte) error {
	s := p.s
	if s.info == nil && r.kind != kindBegin {
		return fmt.Errorf("%w: record of kind %d before the beginning", errSetFile, r.kind)
	}
	switch r.kind {
	case kindBegin:
		if s.info != nil {
			return fmt.Errorf("%w: a second beginning", errSetFile)
		}
		if err := json.Unmarshal(payload, &s.info); err != nil || s.info == nil {
			return fmt.Errorf("%w: no set information", errSetFile)
		}
		s.info.Files = []FileInfo{} // each comes with its pages
	case kindPacks:
		return s.addPacks(payload, r.number)
	case kindFile:
		p.endFile(nil)
		p.file = FileInfo{}
		p.current, p.places, p.last = int64(r.file), nil, 0
		return json.Unmarshal(payload, &p.file)
	case kindPage:
		return p.page(r, payload)
	case kindFileEnd:
		var end FileInfo
		if err := json.Unmarshal(payload, &end); err != nil {
			return err
		}
		p.endFile(&end)
	case kindDrop:
		p.current = -1
	case kindState:
		var why Problem
		if err := json.Unmarshal(payload, &why); err != nil {
			return err
		}
		s.info.Problems = append(s.info.Problems, why)
	case kindStep:
		var step Step
		if err := json.Unmarshal(payload, &step); err != nil {
			return err
		}
		s.info.Steps = append(s.info.Steps, step)
	}
	return nil
}

// page takes in the record of a page. Pages of zero blocks have none; of a page
// that was written more than once the last record counts.
func (p *partialReader) page(r record, stored []byte) error {
	if r.number >= maxPagesOfFile {
		return fmt.Errorf("%w: page %d", errSetFile, r.number)
	}
	payload, err := p.s.decode(r, stored)
	if err != nil {
		return err
	}
	pg, err := parsePage(payload, len(p.s.packs))
	if err != nil {
		return err
	}
	p.last = pg.blocks()
	p.addHoles(int64(r.number))
	p.places = append(p.places[:r.number], pagePlace{p.offset, uint32(r.size())})
	return nil
}

// maxPagesOfFile bounds the pages of a file, whose places are in memory while it
// is written, 16 bytes each: 128 TiB at 8 KiB, four times what InterSystems
// databases can have.
const maxPagesOfFile = 1 << 22

// endFile adds the current file, if there is one, to the set. end is what is
// finally known of it; a file without that was cut off, and has the size that
// its pages have.
func (p *partialReader) endFile(end *FileInfo) {
	if p.current < 0 {
		return
	}
	p.current = -1
	f := p.file
	if end != nil {
		f = *end
	}
	if f.BlockSize <= 0 || f.BlockSize > DefaultBlockSize {
		return // not what a writer leaves; nothing to look at
	}
	if end != nil && f.Size >= 0 && f.Size <= maxFileSize && pagesOf(f.Size, f.BlockSize) <= maxPagesOfFile {
		p.addHoles(pagesOf(f.Size, f.BlockSize))
	}
	if end == nil {
		f.Size = p.covered(&f)
		p.s.info.Problems = append(p.s.info.Problems, Problem{Path: f.Path, Error: "the copy was cut off", Fatal: true})
	}
	if f.Size < 0 || f.Size > maxFileSize || int64(len(p.places)) < pagesOf(f.Size, f.BlockSize) {
		return // as above
	}
	p.s.info.Files = append(p.s.info.Files, f)
	p.s.pages = append(p.s.pages, p.places)
}

// covered returns how many bytes of a file that was cut off its pages have. The
// last block may be the file's short last one.
func (p *partialReader) covered(f *FileInfo) int64 {
	n := len(p.places)
	if n == 0 {
		return 0
	}
	size := (int64(n-1)*PageBlocks + int64(p.last)) * int64(f.BlockSize)
	if size-int64(f.BlockSize) < f.SizeAtOpen && f.SizeAtOpen < size {
		return f.SizeAtOpen
	}
	return size
}

// addHoles adds pages of zero blocks up to n pages.
func (p *partialReader) addHoles(n int64) {
	for int64(len(p.places)) < n {
		p.places = append(p.places, pagePlace{})
	}
}

// pagesOf returns the number of pages of a file.
func pagesOf(size int64, blockSize int32) int64 {
	return (blocksOf(size, blockSize) + PageBlocks - 1) / PageBlocks
}

// blocksOf returns the number of blocks of a file, the last of which may be
// short.
func blocksOf(size int64, blockSize int32) int64 {
	return (size + int64(blockSize) - 1) / int64(blockSize)
}

// sumFiles makes the set's totals those of its files. StoredBytes, which has
// the packs' directories too, stays if it is known.
func (s *SetInfo) sumFiles() {
	s.Databases, s.Bytes, s.ZeroBytes, s.NewBytes = 0, 0, 0, 0
	var stored int64
	for i := range s.Files {
		f := &s.Files[i]
		if f.Section == SectionDatabases {
			s.Databases++
		}
		if f.Section != SectionConsistent { // the databases again
			s.Bytes += f.Size
			s.ZeroBytes += f.ZeroBytes
		}
		s.NewBytes += f.NewBytes
		stored += f.StoredBytes
	}
	s.StoredBytes = max(s.StoredBytes, stored)
}
