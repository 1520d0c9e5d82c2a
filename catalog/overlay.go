package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"datfs/catalog/pack"
)

// A Change is a stretch of a file that differs from the file below it.
type Change struct {
	Offset int64
	Data   []byte // valid until the next Change is asked for
}

// StoreOver stores a file that is another file of this set with changes laid
// over it, and cut, or grown with zeros, to size bytes. lower is the number of
// that other file in Files. info is as for Store, with the block size of the
// other file; it gets no XXH64, as nobody reads it all.
//
// Changes come in ascending order and do not overlap; they may have any
// alignment and length. What no change touches is not read: its extents are
// taken over. An error of changes is returned as it is, and the file is then not
// part of the set.
func (w *SetWriter) StoreOver(ctx context.Context, info FileInfo, lower int, size int64, changes iter.Seq2[Change, error]) (FileInfo, error) {
	if w.ended {
		return info, ErrSealed
	}
	if lower < 0 || lower >= len(w.info.Files) || w.info.Files[lower].BlockSize != info.BlockSize || size < 0 {
		return info, fmt.Errorf("store %s over file %d: no such file, or another block size", info.Path, lower)
	}
	below, err := w.openOwn(lower)
	if err != nil {
		w.failed = &RepositoryError{err}
		return info, w.failed
	}
	defer func() { _ = below.set.Close() }()
	info.SizeAtOpen, info.SizeAtEnd = size, size
	fw, err := w.newFileWriter(info)
	if err != nil {
		return info, err
	}
	o := &overlay{fw: fw, below: below, size: size, bs: int64(info.BlockSize), hasher: pack.NewHasher(w.repo.key)}
	if err := o.run(ctx, changes); err != nil {
		fw.giveUp(ctx, err)
		return info, err
	}
	fw.info.Size = size
	fw.sum.given = true
	if err := fw.end(); err != nil {
		w.failed = &RepositoryError{err}
		return info, w.failed
	}
	w.info.Files = append(w.info.Files, fw.info)
	w.accounts = append(w.accounts, fw.file)
	return fw.info, nil
}

// openOwn opens a file of the set that is being written, all of whose blocks can
// then be read. Its set has the same table of packs as the writer.
func (w *SetWriter) openOwn(number int) (*File, error) {
	if err := errors.Join(w.packer.publishAll(), w.log.sync()); err != nil {
		return nil, err
	}
	f, err := openSetFile(w.repo.disk.dir, w.log.partial, w.repo.packs.dec)
	if err != nil {
		return nil, err
	}
	s := &Set{repo: w.repo, file: f, info: f.info}
	if number >= len(f.info.Files) || f.info.Files[number].Path != w.info.Files[number].Path {
		return nil, errors.Join(fmt.Errorf("%s: file %d is not %s", w.log.partial, number, w.info.Files[number].Path), s.Close())
	}
	return s.File(number), nil
}

// overBatch is how many changed blocks in a row are placed at once, so that
// catalog.db is not opened for each.
const overBatch = 256

// An overlay lays changes over a file, block by block.
type overlay struct {
	fw     *fileWriter
	below  *File
	size   int64
	bs     int64
	hasher *pack.Hasher

	next    int64   // block: all before it are placed or in batch
	batch   []block // changed blocks, the last of which may still be patched
	reached int64   // end of the last change
}

func (o *overlay) run(ctx context.Context, changes iter.Seq2[Change, error]) error {
	for c, err := range changes {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = o.change(c)
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(o.takeOver(blocksOf(o.size, int32(o.bs))), o.flush())
}

// change lays one change over the blocks that it touches.
func (o *overlay) change(c Change) error {
	if c.Offset < o.reached || c.Offset > o.size-int64(len(c.Data)) {
		return fmt.Errorf("a change of %d bytes at %d does not follow %d, or is not within %d bytes", len(c.Data), c.Offset, o.reached, o.size)
	}
	o.reached = c.Offset + int64(len(c.Data))
	for off, data := c.Offset, c.Data; len(data) > 0; {
		within := off % o.bs
		b, err := o.block(off/o.bs, within == 0 && int64(len(data)) >= o.length(off/o.bs))
		if err != nil {
			return err
		}
		n := copy(b[within:], data)
		data, off = data[n:], off+int64(n)
	}
	return nil
}

// length returns how many bytes a block of the new file has.
func (o *overlay) length(n int64) int64 { return min(o.bs, o.size-n*o.bs) }

// block returns the bytes of a block, to be changed: with what the file below
// has there, unless all of it is going to be overwritten.
func (o *overlay) block(n int64, whole bool) ([]byte, error) {
	if n < o.next { // it is the last one: changes ascend
		return o.batch[len(o.batch)-1].data, nil
	}
	if err := o.takeOver(n); err != nil {
		return nil, err
	}
	if len(o.batch) == overBatch {
		if err := o.flush(); err != nil {
			return nil, err
		}
	}
	data := make([]byte, o.length(n))
	if !whole && n*o.bs < o.below.info.Size {
		have := data[:min(int64(len(data)), o.below.info.Size-n*o.bs)]
		if _, err := o.below.ReadAt(have, n*o.bs); err != nil {
			return nil, &RepositoryError{err}
		}
	}
	o.batch = append(o.batch, block{data: data})
	o.next = n + 1
	return data, nil
}

// takeOver takes over the blocks of the file below up to a block. Where that
// file's last block is not as long as ours it is made anew, and past its end
// there are zeros.
func (o *overlay) takeOver(to int64) error {
	if o.next < to {
		if err := o.flush(); err != nil {
			return err
		}
	}
	whole := min(to, o.below.info.Size/o.bs, o.size/o.bs)
	if o.below.info.Size == o.size {
		whole = to
	}
	for o.next < whole {
		s, err := o.below.at(o.next)
		if err != nil {
			return &RepositoryError{err}
		}
		n := min(int64(s.count), whole-o.next)
		o.fw.takeOver(s, n, o.below.stretchBytes(stretch{s.block, extent{count: uint32(n)}}))
		o.next += n
	}
	if o.next < to && o.next*o.bs < o.below.info.Size {
		if _, err := o.block(o.next, false); err != nil {
			return err
		}
		if err := o.flush(); err != nil {
			return err
		}
	}
	if o.next < to {
		o.fw.holes(to - o.next)
		o.fw.zero -= max(0, to*o.bs-o.size) // the last block may be short
		o.next = to
	}
	return nil
}

// flush places the changed blocks.
func (o *overlay) flush() error {
	for i := range o.batch {
		b := &o.batch[i]
		if b.zero = pack.IsZero(b.data); !b.zero {
			b.id = o.hasher.BlockID(b.data)
		}
	}
	if err := o.fw.place(o.batch, o.fw.put); err != nil {
		return &RepositoryError{err}
	}
	clear(o.batch)
	o.batch = o.batch[:0]
	return nil
}

// takeOver appends n blocks of a stretch of another file of the set, which has
// the same numbers of packs.
func (fw *fileWriter) takeOver(s stretch, n, bytes int64) {
	fw.next += n
	fw.lastOK = false
	if s.pack == hole {
		fw.zero += bytes
	}
	ordinal := s.ordinal
	for n > 0 {
		k := uint32(min(n, int64(PageBlocks-fw.page.blocks())))
		fw.page = fw.page.add(k, s.pack, ordinal)
		ordinal += k
		n -= int64(k)
		if fw.page.blocks() == PageBlocks {
			fw.endPage()
		}
	}
}
