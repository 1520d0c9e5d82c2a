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
	return r.adopt(orphans, func(_ pack.ID, err error) error {
		if errors.Is(err, ErrCorrupt) { // verify tells of those
			return nil
		}
		return err
	})
}

// adoptHooks is how many hooks are gathered before they are entered, 32 bytes
// each. The more there are, the nearer they lie to each other in the catalog,
// and the fewer of its pages are touched again and again.
const adoptHooks = 1 << 20

// adopt enters packs into the catalog by what their own directories say. It
// calls after with each pack and what went wrong with reading it, and ends if
// that returns an error.
func (r *Repository) adopt(ids []pack.ID, after func(pack.ID, error) error) error {
	var entries []packEntry
	hooks := 0
	for i, id := range ids {
		e, err := r.readEntry(id)
		if err == nil {
			entries = append(entries, e)
			hooks += len(e.hooks)
		}
		if err := after(id, err); err != nil {
			return err
		}
		if hooks >= adoptHooks || i == len(ids)-1 {
			if err := r.syncPackDirs(entries); err != nil {
				return err
			}
			if err := r.enterPacks(entries...); err != nil {
				return err
			}
			entries, hooks = nil, 0
		}
	}
	return nil
}

// syncPackDirs makes the names of packs durable before the catalog has them
// (I1): who published them may have been killed before that.
func (r *Repository) syncPackDirs(entries []packEntry) error {
	dirs := map[string]bool{}
	for _, e := range entries {
		dirs[path.Dir(packPath(e.id))] = true
	}
	for dir := range dirs {
		if err := r.disk.syncDir(dir); err != nil {
			return err
		}
	}
	return r.disk.syncDir(packsName)
}

// readEntry reads what the catalog should know of a pack.
func (r *Repository) readEntry(id pack.ID) (packEntry, error) {
	p, err := r.packs.acquire(id)
	if err != nil {
		return packEntry{}, err
	}
	defer r.packs.release(p)
	st, err := p.file.Stat()
	if err != nil {
		return packEntry{}, err
	}
	e := newPackEntry(id, st.Size(), p.Footer())
	for i := range p.Segments() {
		seg, err := p.ReadSegment(i)
		if err != nil {
			return packEntry{}, packError(id, err)
		}
		for o := seg.First; seg.Contains(o); o++ {
			if b := seg.ID(o); b.IsHook() && !b.IsZero() {
				e.hooks = append(e.hooks, hook{b, o})
			}
		}
	}
	return e, nil
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
