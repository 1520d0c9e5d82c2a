package catalog

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sys/unix"

	"datfs/catalog/pack"
)

// Bounds of what a repository keeps in memory. They do not depend on how much
// it holds.
const (
	maxOpenPacks = 512  // files; some 2 KB each
	maxSegments  = 1024 // some 25 KB each
	maxFrames    = 896  // 72 KiB each
)

// A packStore reads packs by ID, through bounded caches shared by all readers.
// It is safe for concurrent use.
type packStore struct {
	dir string // of the repository
	dec *pack.Decompressor

	ahead      chan aheadFrame // see decodeAhead
	startAhead sync.Once
	closed     chan struct{}
	closing    sync.Once

	mu       sync.Mutex // guards what follows; never held while reading
	open     *simplelru.LRU[pack.ID, *openPack]
	segments *simplelru.LRU[segmentKey, *pack.Segment]
	frames   *simplelru.LRU[frameKey, *frameEntry]
}

// An openPack is a pack's open file. It is closed when it is out of the cache
// and nobody reads it.
type openPack struct {
	*pack.Reader
	id   pack.ID
	file *os.File
	refs int // guarded by packStore.mu; the cache's own is one of them
}

type segmentKey struct {
	pack    pack.ID
	segment int
}

type frameKey struct {
	pack   pack.ID
	offset int64
}

// A frameEntry is a decoded frame, or one that is being decoded until done is
// closed.
type frameEntry struct {
	done chan struct{}
	raw  []byte
	err  error
}

func newPackStore(dir string) (*packStore, error) {
	dec, err := pack.NewDecompressor()
	if err != nil {
		return nil, err
	}
	s := &packStore{dir: dir, dec: dec, ahead: make(chan aheadFrame, aheadQueue), closed: make(chan struct{})}
	s.open, err = simplelru.NewLRU(openPacks(), func(_ pack.ID, p *openPack) { s.unref(p) })
	if err != nil {
		return nil, err
	}
	if s.segments, err = simplelru.NewLRU[segmentKey, *pack.Segment](maxSegments, nil); err != nil {
		return nil, err
	}
	s.frames, err = simplelru.NewLRU[frameKey, *frameEntry](maxFrames, nil)
	return s, err
}

// openPacks returns how many packs may be open: not more than a quarter of what
// the process may have, which Go has raised as far as it can.
func openPacks() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return maxOpenPacks
	}
	return int(max(8, min(maxOpenPacks, l.Cur/4)))
}

// close ends the goroutines and closes the files that nobody reads any more.
func (s *packStore) close() {
	s.closing.Do(func() { close(s.closed) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open.Purge()
}

// unref gives up a reference; s.mu is held.
func (s *packStore) unref(p *openPack) {
	if p.refs--; p.refs == 0 {
		_ = p.file.Close()
	}
}

func (s *packStore) release(p *openPack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unref(p)
}

// packPath returns the name of a pack's file, relative to the repository.
func packPath(id pack.ID) string {
	hex := id.String()
	return path.Join(packsName, hex[:2], hex+".pack")
}

// packError says where in the repository the error of a pack is.
func packError(id pack.ID, err error) error {
	if errors.Is(err, pack.ErrVersion) {
		return fmt.Errorf("%s: %w: %w", packPath(id), ErrNewerFormat, err)
	}
	if e, ok := errors.AsType[*pack.Error](err); ok {
		return &CorruptError{Path: packPath(id), Offset: e.Offset, Err: e.Err}
	}
	return fmt.Errorf("%s: %w", packPath(id), err)
}

// acquire returns the open pack; release gives it back.
func (s *packStore) acquire(id pack.ID) (*openPack, error) {
	s.mu.Lock()
	if p, ok := s.open.Get(id); ok {
		p.refs++
		s.mu.Unlock()
		return p, nil
	}
	s.mu.Unlock()
	p, err := s.openPack(id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other, ok := s.open.Get(id); ok { // somebody else was faster
		s.unref(p)
		other.refs++
		return other, nil
	}
	p.refs++
	s.open.Add(id, p)
	return p, nil
}

func (s *packStore) openPack(id pack.ID) (*openPack, error) {
	f, err := os.Open(filepath.Join(s.dir, packPath(id)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, &CorruptError{Path: packPath(id), Err: errors.New("the pack is missing")}
	}
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r, err := pack.NewReader(f, st.Size())
	if err == nil && r.Header().ID != id {
		err = &pack.Error{Err: fmt.Errorf("it is the pack %v", r.Header().ID)}
	}
	if err != nil {
		_ = f.Close()
		return nil, packError(id, err)
	}
	return &openPack{Reader: r, id: id, file: f, refs: 1}, nil
}

// segment returns the i-th directory segment of an open pack.
func (s *packStore) segment(p *openPack, i int) (*pack.Segment, error) {
	key := segmentKey{p.id, i}
	s.mu.Lock()
	seg, ok := s.segments.Get(key)
	s.mu.Unlock()
	if ok {
		return seg, nil
	}
	seg, err := p.ReadSegment(i)
	if err != nil {
		return nil, packError(p.id, err)
	}
	s.mu.Lock()
	s.segments.Add(key, seg)
	s.mu.Unlock()
	return seg, nil
}

// segmentAt returns the directory segment that covers an ordinal.
func (s *packStore) segmentAt(id pack.ID, ordinal uint32) (*pack.Segment, error) {
	p, err := s.acquire(id)
	if err != nil {
		return nil, err
	}
	defer s.release(p)
	i, ok := p.SegmentOf(ordinal)
	if !ok {
		return nil, noOrdinal(id, ordinal)
	}
	return s.segment(p, i)
}

// noOrdinal is the error for an address that a pack does not have.
func noOrdinal(id pack.ID, ordinal uint32) error {
	return &CorruptError{Path: packPath(id), Err: fmt.Errorf("the pack has no block %d", ordinal)}
}

// frame returns the decoded blocks of a frame, which must not be changed. It is
// decoded once however many ask for it at the same time.
func (s *packStore) frame(id pack.ID, f pack.Frame) ([]byte, error) {
	key := frameKey{id, f.Offset}
	s.mu.Lock()
	e, ok := s.frames.Get(key)
	if ok {
		s.mu.Unlock()
		<-e.done
		return e.raw, e.err
	}
	e = &frameEntry{done: make(chan struct{})}
	s.frames.Add(key, e)
	s.mu.Unlock()

	e.raw, e.err = s.readFrame(id, f)
	if e.err != nil { // perhaps it can be read next time
		s.mu.Lock()
		if cur, ok := s.frames.Peek(key); ok && cur == e {
			s.frames.Remove(key)
		}
		s.mu.Unlock()
	}
	close(e.done)
	return e.raw, e.err
}

// storedBuffers are for what is read of a pack before it is decoded.
var storedBuffers = sync.Pool{New: func() any { b := make([]byte, pack.MaxFrame); return &b }}

// readFrame reads, checks (I3) and decodes a frame.
func (s *packStore) readFrame(id pack.ID, f pack.Frame) ([]byte, error) {
	p, err := s.acquire(id)
	if err != nil {
		return nil, err
	}
	defer s.release(p)
	buf := storedBuffers.Get().(*[]byte)
	defer storedBuffers.Put(buf)
	stored, err := p.ReadStored(f, *buf)
	if err != nil {
		return nil, packError(id, err)
	}
	raw, err := s.dec.Decode(f, stored, make([]byte, 0, f.Raw+pack.DecodeSlack))
	if err != nil {
		return nil, packError(id, err)
	}
	return raw, nil
}

// cached reports whether a frame is in the cache, or about to be.
func (s *packStore) cached(id pack.ID, f pack.Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frames.Contains(frameKey{id, f.Offset})
}
