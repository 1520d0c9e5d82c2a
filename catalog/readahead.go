package catalog

import (
	"runtime"
	"sync"

	"datfs/catalog/pack"
)

// Reading ahead: how far, in bytes, and after how many reads in sequence.
const (
	aheadWindow = 4 << 20
	aheadAfter  = 2

	// maxAheadFrames bounds the frames of a window: where each block is in
	// another pack there is a frame for each.
	maxAheadFrames = 128

	// aheadSlack is how far from the last read's end a read may begin and still
	// be in sequence: the kernel sends requests side by side.
	aheadSlack = 2 << 20
)

// aheadQueue bounds the frames that wait to be decoded ahead, for all readers of
// a repository. What does not find a place is decoded when it is read.
const aheadQueue = 128

// An aheadFrame is a frame that is to be decoded ahead.
type aheadFrame struct {
	id    pack.ID
	frame pack.Frame
}

// decodeAhead has a frame decoded into the cache, if there is a place in the
// queue. The goroutines that do it, one a core, start with the first frame and
// end when the store is closed.
func (s *packStore) decodeAhead(f aheadFrame) bool {
	s.startAhead.Do(func() {
		for range runtime.GOMAXPROCS(0) {
			go func() {
				for {
					select {
					case f := <-s.ahead:
						_, _ = s.frame(f.id, f.frame) // what goes wrong comes up when the bytes are read
					case <-s.closed:
						return
					}
				}
			}()
		}
	})
	select {
	case s.ahead <- f:
		return true
	default:
		return false
	}
}

// A Reader is what one open handle reads a file through: ReadAt is the file's,
// but it notices when the file is read in sequence, and has the next frames
// decoded ahead on all cores. It is safe for concurrent use and needs no Close.
type Reader struct {
	f *File

	mu    sync.Mutex
	end   int64 // of the furthest read in sequence
	run   int   // reads in sequence
	ahead int64 // end of what was asked for ahead
}

// Reader returns a reader for one open handle.
func (f *File) Reader() *Reader { return &Reader{f: f} }

// ReadAt implements io.ReaderAt, see File.ReadAt.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if from, to := r.note(off, int64(len(p))); from < to {
		if reached := r.f.prefetch(from, to); reached < to {
			r.mu.Lock()
			r.ahead = min(r.ahead, reached) // the rest is for the next read to ask for
			r.mu.Unlock()
		}
	}
	return r.f.ReadAt(p, off)
}

// note takes a read into account and returns what to decode ahead.
func (r *Reader) note(off, n int64) (from, to int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if off > r.end+aheadSlack || off < r.end-aheadSlack {
		r.run, r.end, r.ahead = 0, off+n, 0
		return 0, 0
	}
	r.run++
	r.end = max(r.end, off+n)
	if r.run < aheadAfter {
		return 0, 0
	}
	from, to = max(r.ahead, r.end), min(r.end+aheadWindow, r.f.info.Size)
	if to-from < aheadWindow/4 && to < r.f.info.Size { // in strokes, not by the frame
		return 0, 0
	}
	r.ahead = max(r.ahead, to)
	return from, to
}

// prefetch has the frames of a stretch decoded into the cache. It does not wait
// for them. It returns how far it came.
func (f *File) prefetch(from, to int64) int64 {
	packs := f.set.repo.packs
	bs := f.blockSize()
	for frames := 0; from < to && frames < maxAheadFrames; {
		s, err := f.at(from / bs)
		if err != nil {
			return to // it comes up when the bytes are read
		}
		if s.pack == hole {
			from = s.block*bs + f.stretchBytes(s)
			continue
		}
		fr, _, n, err := f.locate(s)
		if err != nil {
			return to
		}
		if id := f.set.file.packs[s.pack]; !packs.cached(id, fr) {
			if !packs.decodeAhead(aheadFrame{id, fr}) {
				return from
			}
			frames++
		}
		from = s.block*bs + n
	}
	return from
}
