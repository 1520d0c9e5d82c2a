package catalog

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"

	"datfs/catalog/pack"
)

// sets checks the set files, all their extents, and their notes.
func (v *verifier) sets(ctx context.Context, only []SetName) error {
	sets, damaged, err := v.r.list()
	if err != nil {
		return err
	}
	chosen := func(n SetName) bool { return len(only) == 0 || slices.Contains(only, n) }
	for _, d := range damaged {
		if chosen(d.name) {
			v.report(Damage{Set: d.name, Err: d.err})
			v.notes(d.name)
		}
	}
	for _, info := range sets {
		if !chosen(info.SetName()) || !info.sealed() {
			continue // a partial set may name packs that were never published
		}
		if err := v.set(ctx, info.SetName()); err != nil {
			return err
		}
		v.notes(info.SetName())
	}
	return nil
}

func (v *verifier) set(ctx context.Context, name SetName) error {
	v.progress.SetCurrent(name.String())
	s, err := v.r.OpenSet(name)
	if errors.Is(err, ErrCorrupt) {
		v.report(Damage{Set: name, Err: err})
		return nil
	}
	if err != nil {
		return err
	}
	for i := range s.info.Files {
		if err := v.file(ctx, name, s.File(i)); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return s.Close()
}

// notes checks the notes of a set.
func (v *verifier) notes(set SetName) {
	files, strange, err := v.r.noteFiles(set)
	if err != nil {
		v.report(Damage{Set: set, Err: fmt.Errorf("list its notes: %w", err)})
	}
	for _, name := range strange {
		err := fmt.Errorf("%w: this is not the name of one", errNote)
		v.report(Damage{Set: set, Err: &CorruptError{Path: path.Join(notesDir(set), name), Err: err}})
	}
	for _, f := range files {
		if f.Kind == kindValidated {
			_, err = v.r.readValidation(set, f.Name)
		} else {
			_, err = v.r.readNote(set, f.Name)
		}
		if err != nil {
			v.report(Damage{Set: set, Err: err})
		}
	}
}

// A loss sums up which blocks of a file cannot be read.
type loss struct {
	blocks int64
	at     int64 // offset of the first in the file
	err    error // what is wrong with that one
}

func (l *loss) add(blocks, at int64, err error) {
	if l.blocks == 0 {
		l.at, l.err = at, err
	}
	l.blocks += blocks
}

// file checks the extents of a file and reports what is lost of it, once.
func (v *verifier) file(ctx context.Context, name SetName, f *File) error {
	var lost loss
	blocks := blocksOf(f.info.Size, f.info.BlockSize)
	for n := int64(0); n < blocks; n += PageBlocks {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p, err := f.page(n)
		if err != nil {
			lost.add(min(PageBlocks, blocks-n), n*f.blockSize(), err)
			continue
		}
		for _, e := range p {
			if e.pack != hole {
				v.stretch(ctx, &lost, f, stretch{n + int64(e.first), e})
			}
		}
	}
	if lost.blocks > 0 {
		v.report(Damage{Set: name, Path: f.info.Path, Err: fmt.Errorf("%d of %d blocks cannot be read, the first at offset %d: %w",
			lost.blocks, blocks, lost.at, lost.err)})
	}
	return nil
}

// stretch checks, frame by frame, that the blocks of a stretch are there, sound,
// and as long as the file needs them.
func (v *verifier) stretch(ctx context.Context, lost *loss, f *File, s stretch) {
	fact := v.fact(ctx, f.set.file.packs[s.pack])
	if fact.missing != nil {
		lost.add(int64(s.count), s.block*f.blockSize(), fact.missing)
		return
	}
	for s.count > 0 {
		_, _, n, err := f.locate(s)
		done := uint32(max(1, blocksOf(n, f.info.BlockSize)))
		if err == nil {
			err = fact.at(s.ordinal)
		}
		if err != nil {
			lost.add(int64(done), s.block*f.blockSize(), err)
		}
		s.block += int64(done)
		s.ordinal += done
		s.count -= done
	}
}

// at returns what is wrong with the block of an ordinal, or nil.
func (p *packFact) at(ordinal uint32) error {
	i := sort.Search(len(p.damaged), func(i int) bool { return p.damaged[i].first > ordinal }) - 1
	if i >= 0 && ordinal-p.damaged[i].first < p.damaged[i].count {
		return p.damaged[i].err
	}
	return nil
}

// fact returns what is known of a pack. One that was not there when the packs
// were listed is either missing, or was published since: it is read now.
func (v *verifier) fact(ctx context.Context, id pack.ID) *packFact {
	fact, ok := v.packs[id]
	if !ok {
		var err error
		if fact, err = v.readPack(ctx, pack.NewHasher(v.r.key), id); err != nil && ctx.Err() == nil {
			v.report(Damage{Err: err})
		}
		v.packs[id] = fact
	}
	return fact
}
