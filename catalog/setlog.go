package catalog

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"datfs/catalog/pack"
)

// A setLog writes a set file, record by record, as the set grows. Its methods
// are to be called in the order of the format, by one goroutine.
type setLog struct {
	disk    *disk
	partial string // its name, relative to the repository
	f       *os.File
	w       *bufio.Writer
	size    int64
	id      pack.ID // 128 random bits, like a pack's
	comp    *pack.Compressor

	packs  []pack.ID          // the set's table of packs
	known  map[pack.ID]uint32 // its index
	told   int                // packs that are in records already
	index  []int64            // offset of each file's first index record
	places []pagePlace        // of the current file's pages
	buf    []byte             // scratch
	stored []byte             // scratch
}

// A pagePlace says where a page's record is; zero: it has only zero blocks.
type pagePlace struct {
	offset int64
	length uint32 // of the whole record
}

// createSetLog begins the set file called partial.
func createSetLog(d *disk, partial string, info *SetInfo) (*setLog, error) {
	f, err := d.create(partial)
	if err != nil {
		return nil, err
	}
	comp, err := pack.NewCompressor(pack.CodecZstd)
	if err != nil {
		return nil, err
	}
	l := &setLog{
		disk: d, partial: partial, f: f, w: bufio.NewWriterSize(f, 64<<10), id: pack.NewID(),
		comp: comp, known: map[pack.ID]uint32{},
	}
	l.write(setHeader{id: l.id}.append(nil))
	return l, l.writeJSON(kindBegin, 0, info.withoutNotes())
}

// write appends b; its error comes up at the next flush.
func (l *setLog) write(b []byte) {
	_, _ = l.w.Write(b) // sticky
	l.size += int64(len(b))
}

// record appends a record with an uncompressed payload.
func (l *setLog) record(r record, payload []byte) {
	r.raw = uint32(len(payload))
	l.buf = appendRecord(l.buf[:0], r, payload)
	l.write(l.buf)
}

func (l *setLog) writeJSON(kind byte, file uint32, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(b) > maxRecord {
		return fmt.Errorf("write set file: metadata of %d bytes, at most %d can be read back: store fewer files in a set", len(b), maxRecord)
	}
	l.record(record{kind: kind, file: file}, b)
	return nil
}

// packIndex returns the index of a pack in the set's table of packs.
func (l *setLog) packIndex(id pack.ID) uint32 {
	i, ok := l.known[id]
	if !ok {
		i = uint32(len(l.packs))
		l.packs = append(l.packs, id)
		l.known[id] = i
	}
	return i
}

func (l *setLog) file(file uint32, info *FileInfo) error {
	l.places = l.places[:0]
	return l.writeJSON(kindFile, file, info)
}

// page appends the next page of the current file.
func (l *setLog) page(file uint32, p page) {
	if p.allHole() {
		l.places = append(l.places, pagePlace{})
		return
	}
	length := l.pageRecord(file, p)
	l.places = append(l.places, pagePlace{l.size - int64(length), length})
}

// interim appends what there is so far of the next page, for whoever reads the
// set if it is cut off here. The page itself follows later all the same.
func (l *setLog) interim(file uint32, p page) {
	if len(p) > 0 && !p.allHole() {
		l.pageRecord(file, p)
	}
}

// pageRecord appends the record of the next page and returns its length. Packs
// that the page is the first to refer to are told of before it.
func (l *setLog) pageRecord(file uint32, p page) uint32 {
	number := uint32(len(l.places))
	if l.told < len(l.packs) {
		var ids []byte
		for _, id := range l.packs[l.told:] {
			ids = append(ids, id[:]...)
		}
		l.record(record{kind: kindPacks, number: uint32(l.told)}, ids)
		l.told = len(l.packs)
	}
	raw := p.encode(nil)
	stored, codec := l.comp.Compress(l.stored, raw)
	l.stored = stored
	l.buf = appendRecord(l.buf[:0], record{kind: kindPage, codec: byte(codec), raw: uint32(len(raw)), file: file, number: number}, stored)
	l.write(l.buf)
	return uint32(len(l.buf))
}

// fileEnd appends the current file's index and what is finally known of it.
func (l *setLog) fileEnd(file uint32, info *FileInfo) error {
	l.index = append(l.index, l.size)
	for group := 0; group*indexGroup < len(l.places); group++ {
		places := l.places[group*indexGroup : min((group+1)*indexGroup, len(l.places))]
		b := make([]byte, 0, len(places)*indexEntrySize)
		for _, p := range places {
			b = binary.LittleEndian.AppendUint64(b, uint64(p.offset))
			b = binary.LittleEndian.AppendUint32(b, p.length)
		}
		l.record(record{kind: kindIndex, file: file, number: uint32(group)}, b)
	}
	return l.writeJSON(kindFileEnd, file, info)
}

// drop gives the current file up.
func (l *setLog) drop(file uint32) { l.record(record{kind: kindDrop, file: file}, nil) }

// sync makes all records so far durable.
func (l *setLog) sync() error {
	if err := l.w.Flush(); err != nil {
		return fmt.Errorf("write set file: %w", err)
	}
	return l.disk.sync(l.f, l.partial)
}

// finish writes the end of the set file and publishes it as final.
func (l *setLog) finish(info *SetInfo, final string) error {
	footer := setFooter{id: l.id, table: l.size}
	ids := make([]byte, 0, len(l.packs)*16)
	for _, id := range l.packs {
		ids = append(ids, id[:]...)
	}
	l.record(record{kind: kindTable}, ids)
	footer.meta = l.size
	if err := l.writeJSON(kindMeta, 0, metaRecord{Set: info.withoutNotes(), Index: l.index}); err != nil {
		return err
	}
	l.write(footer.append(nil))
	if err := l.w.Flush(); err != nil {
		return errors.Join(fmt.Errorf("write set file: %w", err), l.f.Close())
	}
	return l.disk.publish(l.f, l.partial, final)
}

// abandon ends the file unsealed, with the reason.
func (l *setLog) abandon(why Problem) error {
	err := l.writeJSON(kindState, 0, why)
	if err == nil {
		err = l.sync()
	}
	if cerr := l.f.Close(); err == nil {
		err = cerr
	}
	return err
}
