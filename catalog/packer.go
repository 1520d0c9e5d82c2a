package catalog

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sync"
	"sync/atomic"

	"datfs/catalog/pack"
)

const (
	// packSize is about how large a pack becomes, in bytes.
	packSize = 64 << 20

	// packOrdinals bounds the blocks of a pack: their IDs are in memory until
	// it is published.
	packOrdinals = 256 << 10

	// queuedFrames bounds the frames that are compressed or wait to be written.
	queuedFrames = 48
)

// A packer puts new blocks into frames and frames into packs. add and flush are
// for one goroutine; workers compress, a goroutine of the packer writes, and
// another one publishes finished packs while the next is being written.
type packer struct {
	repo     *Repository
	prefix   string // of temporary names, see tempPrefix
	workers  *workers
	progress *Progress

	cur   *newPack  // nil: the next block begins one
	begun int       // packs
	frame *newFrame // being filled; nil: the next block begins one
	queue chan *newFrame
	ended chan struct{} // the writer is done

	failed atomic.Bool // err is set
	mu     sync.Mutex  // guards what follows
	err    error       // the first
	stored map[int]int64
	total  int64      // of the published packs' files, in bytes
	over   int        // packs that are published, or never will be
	settle *sync.Cond // over has changed
	since  int        // packs published since the last call of checkpointDue
}

// A newPack is a pack that this packer writes. Its IDs, by ordinal, stand in
// for its directory until it is published.
type newPack struct {
	id        pack.ID
	ids       []pack.BlockID // of the goroutine that adds
	published atomic.Bool
	raw       int64        // given to frames, in bytes; of the goroutine that adds
	rawDone   atomic.Int64 // of these: written
	stored    atomic.Int64 // what they became
}

// A newFrame is a frame on its way into a pack.
type newFrame struct {
	pack    *newPack
	raw     []byte
	ids     []pack.BlockID
	lengths []uint32
	files   []int // of each block
	last    bool  // of its pack
	stored  []byte
	codec   pack.Codec
	done    chan struct{} // closed when stored is there
}

// frameBuffers are for the raw and the stored bytes of frames.
var frameBuffers = sync.Pool{New: func() any { b := make([]byte, 0, pack.MaxFrame+1024); return &b }}

func getFrameBuffer() []byte { return (*frameBuffers.Get().(*[]byte))[:0] }

func putFrameBuffer(b []byte) { frameBuffers.Put(&b) }

func startPacker(r *Repository, prefix string, ws *workers, progress *Progress) *packer {
	p := &packer{
		repo: r, prefix: prefix, workers: ws, progress: progress,
		queue: make(chan *newFrame, queuedFrames), ended: make(chan struct{}), stored: map[int]int64{},
	}
	p.settle = sync.NewCond(&p.mu)
	go p.write()
	return p
}

// add puts a block of a file into the open pack and returns its address. The
// bytes are copied.
func (p *packer) add(data []byte, id pack.BlockID, file int) (*newPack, uint32, error) {
	if p.failed.Load() {
		return nil, 0, p.failure()
	}
	if p.frame != nil && (len(p.frame.raw)+len(data) > pack.MaxFrame || len(p.frame.ids) == pack.MaxSegment) {
		p.flush(false)
	}
	if p.cur == nil {
		p.cur = &newPack{id: pack.NewID()}
		p.begun++
	}
	if p.frame == nil {
		p.frame = &newFrame{pack: p.cur, raw: getFrameBuffer(), done: make(chan struct{})}
	}
	f := p.frame
	f.raw = append(f.raw, data...)
	f.ids = append(f.ids, id)
	f.lengths = append(f.lengths, uint32(len(data)))
	f.files = append(f.files, file)
	p.cur.ids = append(p.cur.ids, id)
	return p.cur, uint32(len(p.cur.ids) - 1), nil
}

// flush sends the frame off, and ends the pack if it is full or end is set.
func (p *packer) flush(end bool) {
	f := p.frame
	if f == nil {
		return
	}
	p.frame = nil
	p.cur.raw += int64(len(f.raw))
	queued := p.cur.raw - p.cur.rawDone.Load() // it may not compress
	f.last = end || p.cur.stored.Load()+queued >= p.repo.packSize || len(p.cur.ids) >= packOrdinals
	if f.last {
		p.cur = nil
	}
	p.workers.do(func(w *worker) {
		f.stored, f.codec = w.comp.Compress(getFrameBuffer(), f.raw)
		close(f.done)
	})
	p.queue <- f
}

// finish ends the open pack and waits until all packs are published.
func (p *packer) finish() error {
	p.flush(true)
	close(p.queue)
	<-p.ended
	return p.failure()
}

// publishAll ends the open pack and waits until every pack begun so far is
// published: all that was added can then be read.
func (p *packer) publishAll() error {
	p.flush(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.over < p.begun {
		p.settle.Wait()
	}
	return p.err
}

// endPack counts a pack that is published, or never will be.
func (p *packer) endPack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over++
	p.settle.Broadcast()
}

func (p *packer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		p.failed.Store(true)
	}
}

func (p *packer) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// storedBytes returns what each file's blocks took in frames, and the size of
// all packs together.
func (p *packer) storedBytes() (files map[int]int64, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stored, p.total
}

// idle reports whether nothing was given to add that is not published. It is for
// the goroutine that adds.
func (p *packer) idle() bool {
	_, total := p.storedBytes()
	return p.cur == nil && total == 0
}

// checkpointDue reports whether a pack was published since the last call.
func (p *packer) checkpointDue() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	due := p.since > 0
	p.since = 0
	return due
}

// A packFile is a pack's file while it is written.
type packFile struct {
	*pack.Writer
	pack  *newPack
	temp  string
	file  *os.File
	hooks []hook
}

// write takes frames off the queue, in order, and writes them. After an error
// it goes on taking them, so that nobody waits for ever.
func (p *packer) write() {
	defer close(p.ended)
	finished := make(chan *packFile, 1)
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for f := range finished {
			if err := p.publish(f); err != nil {
				p.fail(fmt.Errorf("publish pack %v: %w", f.pack.id, err))
			}
			p.endPack()
		}
	})
	var cur *packFile
	for f := range p.queue {
		<-f.done
		if !p.failed.Load() {
			var err error
			if cur, err = p.writeFrame(cur, f); err != nil {
				p.fail(err)
			}
		}
		putFrameBuffer(f.raw)
		putFrameBuffer(f.stored)
		switch {
		case !f.last:
		case cur != nil && !p.failed.Load():
			finished <- cur
			cur = nil
		default:
			p.endPack()
		}
	}
	close(finished)
	publisher.Wait()
	if cur != nil {
		_ = cur.file.Close()
		_ = p.repo.disk.remove(cur.temp) // its blocks are in no set
	}
}

// tempPrefix begins the names of an instance's unfinished packs, so that the
// next backup of that instance can remove what a killed one left.
func tempPrefix(instance string) string { return "tmp-" + instance + "-" }

// writeFrame appends a frame to its pack, which it creates with its first one.
func (p *packer) writeFrame(cur *packFile, f *newFrame) (*packFile, error) {
	if cur == nil {
		temp := path.Join(packsName, p.prefix+f.pack.id.String())
		file, err := p.repo.disk.create(temp)
		if err != nil {
			return nil, fmt.Errorf("create pack: %w", err)
		}
		cur = &packFile{pack: f.pack, temp: temp, file: file}
		if cur.Writer, err = pack.NewWriter(file, pack.Header{ID: f.pack.id}); err != nil {
			return cur, err
		}
	}
	first := cur.Ordinals()
	if err := cur.Append(f.stored, f.codec, f.ids, f.lengths); err != nil {
		return cur, err
	}
	for i, id := range f.ids {
		if id.IsHook() {
			cur.hooks = append(cur.hooks, hook{id, first + uint32(i)})
		}
	}
	p.account(f)
	return cur, nil
}

// account shares the stored bytes of a frame among the files of its blocks.
func (p *packer) account(f *newFrame) {
	f.pack.rawDone.Add(int64(len(f.raw)))
	f.pack.stored.Add(int64(len(f.stored)))
	p.progress.AddStored(int64(len(f.stored)))
	p.mu.Lock()
	defer p.mu.Unlock()
	left, raw := int64(len(f.stored)), int64(len(f.raw))
	for i, file := range f.files {
		share := left * int64(f.lengths[i]) / raw
		p.stored[file] += share
		left -= share
		raw -= int64(f.lengths[i])
	}
}

// publish makes a pack final: directory and footer written, synced, renamed,
// its directory synced, and only then in the catalog (I1).
func (p *packer) publish(f *packFile) error {
	if p.failed.Load() {
		return errors.Join(f.file.Close(), p.repo.disk.remove(f.temp))
	}
	footer, err := f.Finish()
	if err != nil {
		return errors.Join(err, f.file.Close(), p.repo.disk.remove(f.temp))
	}
	d := &p.repo.disk
	final := packPath(f.pack.id)
	if err := d.mkdir(path.Dir(final)); err != nil {
		return errors.Join(err, f.file.Close(), d.remove(f.temp))
	}
	size := f.Size()
	if err := d.publish(f.file, f.temp, final); err != nil {
		return errors.Join(err, d.remove(f.temp))
	}
	entry := newPackEntry(f.pack.id, size, footer)
	entry.hooks = f.hooks
	if err := p.repo.enterPacks(entry); err != nil {
		return err
	}
	f.pack.published.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total += size
	p.since++
	return nil
}
