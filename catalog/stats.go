package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"datfs/catalog/pack"
)

// Stats is the savings report. Sizes are in bytes.
type Stats struct {
	Sets             int     `json:"sets"`              // sealed ones, complete or not
	LogicalBytes     int64   `json:"logical_bytes"`     // sum of the sizes of these sets' files
	ZeroBytes        int64   `json:"zero_bytes"`        // of these: zero blocks, stored as holes
	UniqueBytes      int64   `json:"unique_bytes"`      // blocks in packs, before compression
	StoredBytes      int64   `json:"stored_bytes"`      // packs
	MetaBytes        int64   `json:"meta_bytes"`        // everything else: set files, catalog, config
	DedupRatio       float64 `json:"dedup_ratio"`       // (logical - zero) / unique; 0 if there is nothing
	CompressionRatio float64 `json:"compression_ratio"` // unique / stored; 0 if there is nothing
	SavedBytes       int64   `json:"saved_bytes"`       // logical - stored - meta
	SavedPercent     float64 `json:"saved_percent"`     // of logical
	Packs            int     `json:"packs"`

	PerSet      []SetStats      `json:"per_set"` // without those of journal archives, which are many and small
	PerDatabase []DatabaseStats `json:"per_database"`
}

// SetStats is a set's line of the savings report.
type SetStats struct {
	Instance     string `json:"instance"`
	Name         string `json:"name"`
	State        State  `json:"state"`
	LogicalBytes int64  `json:"logical_bytes"`
	ZeroBytes    int64  `json:"zero_bytes"`
	NewBytes     int64  `json:"new_bytes"`    // blocks that this set was the first to have
	StoredBytes  int64  `json:"stored_bytes"` // what these took in packs
}

// DatabaseStats sums up a database's files over all sets.
type DatabaseStats struct {
	Instance     string `json:"instance"`
	Database     string `json:"database"`
	Sets         int    `json:"sets"`
	LogicalBytes int64  `json:"logical_bytes"`
	ZeroBytes    int64  `json:"zero_bytes"`
	NewBytes     int64  `json:"new_bytes"`
	StoredBytes  int64  `json:"stored_bytes"`
}

// Stats adds up the savings report. Sets that cannot be read are joined into
// the error, the rest is returned all the same.
func (r *Repository) Stats() (*Stats, error) {
	s := &Stats{PerSet: []SetStats{}, PerDatabase: []DatabaseStats{}}
	sets, listErr := r.Sets()
	if sets == nil && listErr != nil {
		return nil, listErr
	}
	databases := map[[2]string]*DatabaseStats{}
	for _, set := range sets {
		s.addSet(set)
		addDatabases(databases, set)
	}
	for _, d := range databases {
		s.PerDatabase = append(s.PerDatabase, *d)
	}
	slices.SortFunc(s.PerDatabase, func(a, b DatabaseStats) int {
		return cmp.Or(cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.Database, b.Database))
	})
	err := r.db.view(func(t txn) error {
		return t.eachPack(func(_ pack.ID, rec packRecord) error {
			s.Packs++
			s.UniqueBytes += rec.raw
			s.StoredBytes += rec.size
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("savings report: %w", err)
	}
	if s.MetaBytes, err = r.metaBytes(); err != nil {
		return nil, fmt.Errorf("savings report: %w", err)
	}
	s.finish()
	return s, listErr
}

func (s *Stats) addSet(set *SetInfo) {
	if set.sealed() { // of the others nothing can be relied on
		s.Sets++
		s.LogicalBytes += set.Bytes
		s.ZeroBytes += set.ZeroBytes
	}
	if set.SetName().IsArchive() {
		return // PerDatabase has one line for all of them
	}
	s.PerSet = append(s.PerSet, SetStats{
		Instance: set.Instance, Name: set.Name, State: set.State, LogicalBytes: set.Bytes,
		ZeroBytes: set.ZeroBytes, NewBytes: set.NewBytes, StoredBytes: set.StoredBytes,
	})
}

// addDatabases adds a set's files to the lines of their databases.
func addDatabases(lines map[[2]string]*DatabaseStats, set *SetInfo) {
	seen := map[string]bool{}
	for i := range set.Files {
		f := &set.Files[i]
		key := [2]string{set.Instance, f.Database}
		d, ok := lines[key]
		if !ok {
			d = &DatabaseStats{Instance: set.Instance, Database: f.Database}
			lines[key] = d
		}
		seen[f.Database] = true
		d.LogicalBytes += f.Size
		d.ZeroBytes += f.ZeroBytes
		d.NewBytes += f.NewBytes
		d.StoredBytes += f.StoredBytes
	}
	for name := range maps.Keys(seen) {
		lines[[2]string{set.Instance, name}].Sets++
	}
}

func (s *Stats) finish() {
	s.SavedBytes = s.LogicalBytes - s.StoredBytes - s.MetaBytes
	if s.LogicalBytes > 0 {
		s.SavedPercent = 100 * float64(s.SavedBytes) / float64(s.LogicalBytes)
	}
	if s.UniqueBytes > 0 {
		s.DedupRatio = float64(s.LogicalBytes-s.ZeroBytes) / float64(s.UniqueBytes)
	}
	if s.StoredBytes > 0 {
		s.CompressionRatio = float64(s.UniqueBytes) / float64(s.StoredBytes)
	}
}

// metaBytes returns the size of everything in the repository but packs/.
func (r *Repository) metaBytes() (int64, error) {
	var n int64
	err := filepath.WalkDir(r.disk.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) { // a set was sealed or cleaned up meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		if e.IsDir() && path == r.disk.path(packsName) {
			return filepath.SkipDir
		}
		st, err := e.Info()
		if err == nil && st.Mode().IsRegular() {
			n += st.Size()
		}
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return err
	})
	return n, err
}
