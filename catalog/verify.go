package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"datfs/catalog/pack"
)

// VerifyOptions limits what Verify reads. The zero value means everything.
type VerifyOptions struct {
	Sets     []SetName // only these sets, and the packs that they need
	Progress *Progress // nil is fine; counts stored bytes
}

// Damage is one piece of damage that Verify found.
type Damage struct {
	Set  SetName // zero if it is not of one set: a pack's, the catalog's
	Path string  // file of the set, "" if it is not of one file
	Err  error
}

// A verifier is one run of Verify.
type verifier struct {
	r        *Repository
	progress *Progress
	found    func(Damage)
	mu       sync.Mutex            // guards found's calls
	packs    map[pack.ID]*packFact // of the packs that were read
}

// A packFact is what a set needs to know of a pack.
type packFact struct {
	ordinals uint32
	missing  error   // not nil: it cannot be used at all
	damaged  []stain // by first ordinal
}

// A stain is a run of ordinals whose blocks cannot be read.
type stain struct {
	first, count uint32
	err          error
}

// Verify reads back every frame, checks it and the ID of every block in it,
// checks that every extent of the sets leads to a sound block of the right
// length, and that the catalog is sound. So damage is told twice: where it is,
// and which files of which sets have lost blocks by it. It calls found, one call at a time, for each
// piece of damage. An error means that Verify itself could not go on.
func (r *Repository) Verify(ctx context.Context, opts VerifyOptions, found func(Damage)) error {
	v := &verifier{r: r, progress: opts.Progress, packs: map[pack.ID]*packFact{}, found: found}
	ids, err := v.choose(opts.Sets)
	if err == nil {
		err = v.readPacks(ctx, ids)
	}
	if err == nil {
		err = v.sets(ctx, opts.Sets)
	}
	if err == nil && len(opts.Sets) == 0 {
		v.configs()
		err = v.catalog(ids)
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

func (v *verifier) report(d Damage) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.found(d)
}

// choose lists the packs to read: all, or those of the given sets.
func (v *verifier) choose(sets []SetName) ([]pack.ID, error) {
	if len(sets) == 0 {
		return v.r.packIDs()
	}
	known := map[pack.ID]bool{}
	var ids []pack.ID
	for _, name := range sets {
		s, err := v.r.OpenSet(name)
		if errors.Is(err, ErrCorrupt) {
			continue // v.sets will say so
		}
		if err != nil {
			return nil, err
		}
		for _, id := range s.file.packs {
			if !known[id] {
				known[id] = true
				ids = append(ids, id)
			}
		}
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// readPacks reads the packs on all cores.
func (v *verifier) readPacks(ctx context.Context, ids []pack.ID) error {
	v.setTotal(ids)
	work := make(chan pack.ID)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			hasher := pack.NewHasher(v.r.key)
			for id := range work {
				fact, err := v.readPack(ctx, hasher, id)
				if err != nil && ctx.Err() == nil {
					v.report(Damage{Err: err})
				}
				v.mu.Lock()
				v.packs[id] = fact
				v.mu.Unlock()
			}
		})
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		v.progress.SetCurrent(packPath(id))
		work <- id
	}
	close(work)
	wg.Wait()
	return ctx.Err()
}

func (v *verifier) setTotal(ids []pack.ID) {
	var total int64
	for _, id := range ids {
		if p, err := v.r.packs.acquire(id); err == nil {
			total += p.Footer().IndexOffset
			v.r.packs.release(p)
		}
	}
	v.progress.SetTotal(total)
}

// readPack checks all that a pack holds. It goes on after a damaged frame, and
// the error is of the pack as a whole.
func (v *verifier) readPack(ctx context.Context, hasher *pack.Hasher, id pack.ID) (*packFact, error) {
	p, err := v.r.packs.acquire(id)
	if err != nil {
		return &packFact{missing: err}, err
	}
	defer v.r.packs.release(p)
	fact := &packFact{ordinals: p.Footer().Ordinals}
	stored, raw := make([]byte, 0, pack.MaxFrame), make([]byte, 0, pack.MaxFrame+pack.DecodeSlack)
	for i := range p.Segments() {
		seg, err := p.ReadSegment(i)
		if err != nil {
			v.report(Damage{Err: packError(id, err)})
			continue
		}
		for _, f := range seg.Frames() {
			if ctx.Err() != nil {
				return fact, ctx.Err()
			}
			if stored, err = p.ReadStored(f, stored); err == nil {
				raw, err = v.r.packs.dec.Decode(f, stored, raw)
			}
			if err == nil {
				err = checkIDs(hasher, seg, f, raw)
			}
			if err != nil {
				err = packError(id, err)
				fact.damaged = append(fact.damaged, stain{f.First, f.Count, err})
				v.report(Damage{Err: err})
			}
			v.progress.Add(int64(f.Stored))
		}
	}
	return fact, nil
}

// checkIDs compares the IDs of a frame's blocks with what the directory says.
func checkIDs(hasher *pack.Hasher, seg *pack.Segment, f pack.Frame, raw []byte) error {
	for o := f.First; o < f.First+f.Count; o++ {
		_, start, end, _ := seg.Find(o)
		if hasher.BlockID(raw[start:end]) != seg.ID(o) {
			return &pack.Error{Offset: f.Offset, Err: fmt.Errorf("block %d is not the one its ID says", o)}
		}
	}
	return nil
}

// configs checks the config and its copy, of which one may do all the work.
func (v *verifier) configs() {
	for _, name := range []string{configName, configCopy} {
		if _, err := os.Stat(v.r.disk.path(name)); name == configCopy && errors.Is(err, os.ErrNotExist) {
			continue // made before there were copies
		}
		probe := &Repository{disk: v.r.disk}
		if err := probe.readConfigFile(name); err != nil {
			v.report(Damage{Err: &CorruptError{Path: name, Err: err}})
		}
	}
}

// catalog checks catalog.db: its structure, and what it says of the packs. One
// that it does not know is no damage: the backup that wrote it was killed, and
// the next one enters it.
func (v *verifier) catalog(ids []pack.ID) error {
	err := v.r.db.view(func(t txn) error {
		for _, id := range ids {
			if rec, ok := t.pack(id); ok && rec.ordinals != v.packs[id].ordinals && v.packs[id].missing == nil {
				v.report(Damage{Err: &CorruptError{Path: catalogName, Err: fmt.Errorf("the pack %v is in it with other figures", id)}})
			}
		}
		return t.check()
	})
	if errors.Is(err, ErrCorrupt) || err != nil && !errors.Is(err, ErrLocked) {
		v.report(Damage{Err: err})
		return nil
	}
	return err
}
