package catalog

import (
	"errors"
	"slices"

	"datfs/catalog/pack"
)

// maxBaseSets bounds how far back a file is looked for in earlier sets.
const maxBaseSets = 64

// A base is an earlier copy of the file that is being stored: where the same
// place of it has the same block, that block is not stored again. It is read
// from its start to its end.
type base struct {
	file    *File
	cur     stretch
	seg     *pack.Segment // of the pack segPack
	segPack pack.ID
}

// bases opens the earlier copies of a file that are worth comparing with: of
// the newest set that has one and, if that was cut off, of the newest one
// before it that was not.
func (w *SetWriter) bases(info *FileInfo) []*base {
	out := w.basesOf(w.info.Instance, info)
	if info.Section != SectionJournals {
		return out
	}
	// A journal file is mostly too small to be found by hooks, and it is in a
	// backup and in the archive.
	other, ok := ArchivedInstance(w.info.Instance)
	if !ok {
		other = ArchiveOf(other)
	}
	return append(out, w.basesOf(other, info)...)
}

// basesOf opens those of one instance.
func (w *SetWriter) basesOf(instance string, info *FileInfo) []*base {
	names, err := w.repo.setFiles(instance)
	if err != nil {
		return nil // no base costs time and, at worst, space
	}
	var out []*base
	for i, n := range slices.Backward(names) {
		if n.set == w.Name() {
			continue
		}
		if len(names)-i > maxBaseSets {
			break
		}
		found := false
		for _, section := range alike(info.Section) {
			if f := w.baseFile(n, info, section); f != nil {
				out = append(out, &base{file: f})
				found = true
			}
		}
		if found && n.sealed() {
			break
		}
	}
	return out
}

// alike returns the sections whose files of the same path hold much the same:
// what changed while a database was copied is in the repository only as part of
// the database as it was after the incremental.
func alike(s Section) []Section {
	if s == SectionDatabases || s == SectionConsistent {
		return []Section{SectionConsistent, SectionDatabases}
	}
	return []Section{s}
}

// baseFile returns the file of a section of a set that has the same path and
// block size.
func (w *SetWriter) baseFile(n setFileName, info *FileInfo, section Section) *File {
	known, err := w.repo.info(n)
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(known.Files, func(f FileInfo) bool {
		return f.Section == section && f.Path == info.Path && f.BlockSize == info.BlockSize && f.Size > 0
	})
	if i < 0 {
		return nil
	}
	set, ok := w.baseSets[n.set]
	if !ok {
		if set, err = w.repo.OpenSet(n.set); err != nil {
			return nil
		}
		w.baseSets[n.set] = set
	}
	if i >= len(set.Info().Files) || set.Info().Files[i].Path != info.Path {
		return nil
	}
	return set.File(i)
}

// at returns the address of the base's block and its ID. It returns false for a
// hole, past the end, and where the block cannot be had.
func (b *base) at(n int64) (pack.ID, uint32, pack.BlockID, bool) {
	if n >= blocksOf(b.file.info.Size, b.file.info.BlockSize) {
		return pack.ID{}, 0, pack.BlockID{}, false
	}
	if n < b.cur.block || n >= b.cur.block+int64(b.cur.count) {
		s, err := b.file.at(n)
		if err != nil {
			return pack.ID{}, 0, pack.BlockID{}, false
		}
		b.cur = s
	}
	if b.cur.pack == hole {
		return pack.ID{}, 0, pack.BlockID{}, false
	}
	id := b.file.set.file.packs[b.cur.pack]
	ordinal := b.cur.ordinal + uint32(n-b.cur.block)
	if b.seg == nil || b.segPack != id || !b.seg.Contains(ordinal) {
		seg, err := b.file.set.repo.packs.segmentAt(id, ordinal)
		if err != nil {
			return pack.ID{}, 0, pack.BlockID{}, false
		}
		b.seg, b.segPack = seg, id
	}
	return id, ordinal, b.seg.ID(ordinal), true
}

// closeBases closes the sets that bases opened.
func (w *SetWriter) closeBases() error {
	var err error
	for _, s := range w.baseSets {
		err = errors.Join(err, s.Close())
	}
	clear(w.baseSets)
	return err
}
