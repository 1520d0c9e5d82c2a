package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"

	"datfs/catalog/pack"
)

// DefaultBlockSize is the block size of files that are not a known database,
// and the largest there is, in bytes.
const DefaultBlockSize = pack.MaxFrame

// A fileWriter stores one file: it places its blocks and makes its pages.
type fileWriter struct {
	*placer
	w      *SetWriter
	info   FileInfo
	number uint32 // in the set
	page   page
	packs  map[uint32]uint32 // slot -> number in the set's table of packs
	sum    fileSum
}

func (w *SetWriter) newFileWriter(info FileInfo) (*fileWriter, error) {
	if info.BlockSize == 0 {
		info.BlockSize = DefaultBlockSize
	}
	if info.BlockSize < 1 || info.BlockSize > DefaultBlockSize {
		return nil, fmt.Errorf("store %s: block size %d", info.Path, info.BlockSize)
	}
	if pagesOf(info.SizeAtOpen, info.BlockSize) > maxPagesOfFile {
		return nil, tooLarge(&info, info.SizeAtOpen)
	}
	info.Size, info.RawPath, info.ModTime = 0, rawPath(info.Path), w.storable(info.Path, info.ModTime)
	fw := &fileWriter{w: w, info: info, number: uint32(len(w.info.Files)), packs: map[uint32]uint32{}, sum: newFileSum()}
	fw.placer = &placer{d: w.dedup, file: w.begun, bases: w.bases(&info)}
	w.begun++
	if err := w.log.file(fw.number, &info); err != nil {
		w.failed = &RepositoryError{err}
		return nil, w.failed
	}
	return fw, nil
}

// copy reads the source to its end.
func (fw *fileWriter) copy(ctx context.Context, src Source) error {
	cctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &cutter{src: src, blockSize: int(fw.info.BlockSize), workers: fw.w.workers, free: fw.w.free, out: make(chan *stroke, 1)}
	go c.run(cctx)
	var end error
	for s := range c.out { // to the end in any case: the buffers must come back
		<-s.done
		if end == nil {
			if end = fw.take(s); end != nil {
				cancel()
			}
		}
		fw.w.free <- s.buf
	}
	if end == nil {
		return ctx.Err()
	}
	if errors.Is(end, io.EOF) {
		return nil
	}
	return end
}

func tooLarge(info *FileInfo, size int64) error {
	return fmt.Errorf("store %s: %d bytes are more than the %d that a file of blocks of %d can have",
		info.Path, size, maxPagesOfFile*PageBlocks*int64(info.BlockSize), info.BlockSize)
}

// take stores a stroke. It returns io.EOF after the last one.
func (fw *fileWriter) take(s *stroke) error {
	if s.err != nil && !errors.Is(s.err, io.EOF) {
		return s.err
	}
	if size := fw.info.Size + s.size(int64(fw.info.BlockSize)); pagesOf(size, fw.info.BlockSize) > maxPagesOfFile {
		return tooLarge(&fw.info, size)
	}
	if err := fw.store(s); err != nil {
		return &RepositoryError{err}
	}
	if s.err != nil {
		return io.EOF
	}
	return nil
}

func (fw *fileWriter) store(s *stroke) error {
	if err := fw.place(s.blocks, fw.put); err != nil {
		return err
	}
	var bytes int64
	for i := range s.blocks {
		bytes += int64(len(s.blocks[i].data))
		fw.sum.write(s.blocks[i].data)
	}
	if s.holes > 0 {
		n := s.holes * int64(fw.info.BlockSize)
		fw.holes(s.holes)
		fw.sum.zeros(n)
		bytes += n
	}
	fw.info.Size += bytes
	fw.w.progress.Add(bytes)
	if fw.w.packer.checkpointDue() {
		fw.w.log.interim(fw.number, fw.page)
		return fw.w.log.sync()
	}
	return nil
}

// put appends the address of a block to the current page.
func (fw *fileWriter) put(a address, isHole bool) {
	if isHole {
		fw.page = fw.page.add(1, hole, 0)
	} else {
		n, ok := fw.packs[a.slot]
		if !ok {
			n = fw.w.log.packIndex(fw.d.slots[a.slot])
			fw.packs[a.slot] = n
		}
		fw.page = fw.page.add(1, n, a.ordinal)
	}
	if fw.page.blocks() == PageBlocks {
		fw.endPage()
	}
}

// holes appends n zero blocks.
func (fw *fileWriter) holes(n int64) {
	fw.next += n
	fw.zero += n * int64(fw.info.BlockSize)
	fw.lastOK = false
	for n > 0 {
		k := min(n, int64(PageBlocks-fw.page.blocks()))
		fw.page = fw.page.add(uint32(k), hole, 0)
		n -= k
		if fw.page.blocks() == PageBlocks {
			fw.endPage()
		}
	}
}

func (fw *fileWriter) endPage() {
	fw.w.log.page(fw.number, fw.page)
	fw.page = fw.page[:0]
}

// end completes the file's part of the set file.
func (fw *fileWriter) end() error {
	if len(fw.page) > 0 {
		fw.endPage()
	}
	fw.info.ZeroBytes, fw.info.NewBytes, fw.info.XXH64 = fw.zero, fw.fresh, fw.sum.String()
	return fw.w.log.fileEnd(fw.number, &fw.info)
}

// giveUp ends the file before its end. If it is the whole set that ends here,
// what there is of the file stays for the next backup to compare with.
func (fw *fileWriter) giveUp(ctx context.Context, err error) {
	re, ok := errors.AsType[*RepositoryError](err)
	if ok {
		fw.w.failed = re
	}
	if ok || ctx.Err() != nil {
		fw.w.log.interim(fw.number, fw.page)
		return
	}
	fw.w.log.drop(fw.number)
}

// maxZerosSummed bounds the holes that a file's sum goes through, in bytes: some
// seconds. There is no way to sum zeros but one by one, and a sparse file of a
// tebibyte should not take minutes.
const maxZerosSummed = 64 << 30

// A fileSum is the XXH64 of a whole file.
type fileSum struct {
	d     pack.Digest
	left  int64 // zeros that may still be summed
	given bool  // up: there were more
}

func newFileSum() fileSum { return fileSum{d: pack.NewDigest(), left: maxZerosSummed} }

func (s *fileSum) write(b []byte) {
	if !s.given {
		_, _ = s.d.Write(b) // a Digest never fails
	}
}

func (s *fileSum) zeros(n int64) {
	var block [pack.MaxFrame]byte
	if s.left -= n; s.left < 0 {
		s.given = true
	}
	for ; n > 0 && !s.given; n -= int64(len(block)) {
		_, _ = s.d.Write(block[:min(n, int64(len(block)))])
	}
}

// String returns the sum in hex, or "" if it was given up.
func (s *fileSum) String() string {
	if s.given {
		return ""
	}
	return fmt.Sprintf("%016x", s.d.Sum64())
}
