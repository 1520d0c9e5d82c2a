package catalog

import (
	"errors"
	"os"
	"path"
	"strings"

	"datfs/catalog/pack"
)

// removeTemps removes the unfinished packs that a killed backup of the instance
// left. The instance's lock is held, so that none of them has a writer.
func (r *Repository) removeTemps(instance string) error {
	entries, err := os.ReadDir(r.disk.path(packsName))
	if err != nil {
		return err
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), tempPrefix(instance))
		if _, bad := pack.ParseID(rest); !ok || bad != nil { // bad: of an instance whose name begins with ours
			continue
		}
		if err := r.disk.remove(path.Join(packsName, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// adoptPacks enters published packs into the catalog that are not there: a
// backup was killed between the two steps. Nothing stored is stored again.
func (r *Repository) adoptPacks() error {
	ids, err := r.packIDs()
	if err != nil {
		return err
	}
	var orphans []pack.ID
	err = r.db.view(func(t txn) error {
		for _, id := range ids {
			if _, ok := t.pack(id); !ok {
				orphans = append(orphans, id)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range orphans {
		if err := r.adoptPack(id); err != nil && !errors.Is(err, ErrCorrupt) { // verify tells of those
			return err
		}
	}
	return nil
}

// adoptPack enters a pack into the catalog by what its own directory says.
func (r *Repository) adoptPack(id pack.ID) error {
	p, err := r.packs.acquire(id)
	if err != nil {
		return err
	}
	defer r.packs.release(p)
	st, err := p.file.Stat()
	if err != nil {
		return err
	}
	var hooks []hook
	for i := range p.Segments() {
		seg, err := p.ReadSegment(i)
		if err != nil {
			return packError(id, err)
		}
		for o := seg.First; seg.Contains(o); o++ {
			if b := seg.ID(o); b.IsHook() && !b.IsZero() {
				hooks = append(hooks, hook{b, o})
			}
		}
	}
	return r.catalogPack(id, st.Size(), p.Footer(), hooks)
}

// packIDs lists the published packs, in the order of their IDs.
func (r *Repository) packIDs() ([]pack.ID, error) {
	dirs, err := os.ReadDir(r.disk.path(packsName))
	if err != nil {
		return nil, err
	}
	var ids []pack.ID
	for _, dir := range dirs {
		if !dir.IsDir() || len(dir.Name()) != 2 {
			continue
		}
		files, err := os.ReadDir(r.disk.path(path.Join(packsName, dir.Name())))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			hex, ok := strings.CutSuffix(f.Name(), ".pack")
			id, bad := pack.ParseID(hex)
			if ok && bad == nil && packPath(id) == path.Join(packsName, dir.Name(), f.Name()) {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}
