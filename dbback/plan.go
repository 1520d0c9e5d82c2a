package dbback

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// plan decides which files go where, and refuses what cannot be done before
// anything is written.
func (r *restorer) plan(set *catalog.Set, repoDir string) error {
	if r.opts.Place != nil {
		return r.planPlaced(set, repoDir)
	}
	if r.opts.To == "" {
		return errors.New("no directory to restore to")
	}
	to, err := catalog.AbsPath(r.opts.To)
	if err != nil {
		return err
	}
	r.opts.To, r.report.To = to, to
	if r.opts.Section == "" {
		r.opts.Section = catalog.SectionDatabases
	}
	offered, err := r.offered()
	if err != nil {
		return err
	}
	wanted, err := choose(r.info.Files, offered, r.opts.Only)
	if err != nil {
		return err
	}
	for _, i := range wanted {
		if err := r.addJob(set, i, r.below(&r.info.Files[i]), repoDir); err != nil {
			return err
		}
	}
	r.dirs = make(map[string]catalog.DirInfo)
	for _, d := range r.info.Dirs {
		// The directory restored to is the user's, whatever "/" was like.
		if d.Path != "/" {
			r.dirs[filepath.Join(to, d.Path)] = d
		}
	}
	if err := r.checkUse(); err != nil {
		return err
	}
	return r.checkSpace()
}

// planPlaced plans a restore whose caller says where each file goes.
func (r *restorer) planPlaced(set *catalog.Set, repoDir string) error {
	for _, i := range slices.Sorted(maps.Keys(r.opts.Place)) {
		target := r.opts.Place[i]
		if i < 0 || i >= len(r.info.Files) {
			return fmt.Errorf("the set has no file %d: %w", i, catalog.ErrNotFound)
		}
		if !filepath.IsAbs(target) {
			return fmt.Errorf("%s is not an absolute path", target)
		}
		if err := r.addJob(set, i, filepath.Clean(target), repoDir); err != nil {
			return err
		}
		r.knowDirs(i, filepath.Clean(target))
	}
	return r.checkSpace()
}

// knowDirs remembers what the directories above a file were like that goes back
// to where it was, to its owner: those that are missing are made so.
func (r *restorer) knowDirs(i int, target string) {
	if f := &r.info.Files[i]; f.Section != catalog.SectionDatabases || target != f.Path || r.opts.Owner != nil {
		return
	}
	if r.dirs == nil {
		r.dirs = make(map[string]catalog.DirInfo)
	}
	for _, d := range r.info.Dirs {
		if isInside(target, d.Path) {
			r.dirs[d.Path] = d
		}
	}
}

// addJob adds the restore of the set's i-th file.
func (r *restorer) addJob(set *catalog.Set, i int, target, repoDir string) error {
	j := &job{file: set.File(i), info: &r.info.Files[i], target: target}
	if err := r.place(j, resolve(repoDir)); err != nil {
		return err
	}
	r.jobs = append(r.jobs, j)
	r.opts.Progress.SetTotal(r.opts.Progress.Total() + j.info.Size)
	return nil
}

// below returns where a file goes in a restore to a directory.
func (r *restorer) below(f *catalog.FileInfo) string {
	// Cleaned as an absolute path, so that no ".." of a damaged or forged set
	// leads out of the directory.
	path := filepath.Clean("/" + f.Path)
	if f.Section != catalog.SectionDatabases && f.Section != catalog.SectionConsistent {
		path = filepath.Join("/", string(f.Section), path)
	}
	return filepath.Join(r.opts.To, path)
}

// offered returns the indexes of the files that this restore is about: one form
// of the databases, and what is neither.
func (r *restorer) offered() (out []int, err error) {
	databases := 0
	for i := range r.info.Files {
		switch r.info.Files[i].Section {
		case r.opts.Section:
			databases++
		case catalog.SectionDatabases, catalog.SectionConsistent:
			continue
		default:
			if r.opts.To == "/" {
				continue
			}
		}
		out = append(out, i)
	}
	if databases == 0 && r.opts.Section == catalog.SectionConsistent {
		return nil, fmt.Errorf("the set has no databases as they are after the incremental: %w", catalog.ErrNotFound)
	}
	return out, nil
}

// place looks at what is at a job's target now.
func (r *restorer) place(j *job, repoDir string) error {
	if isInside(resolve(j.target), repoDir) {
		return fmt.Errorf("%s lies inside the repository %s", j.target, repoDir)
	}
	st, err := os.Lstat(j.target)
	if errors.Is(err, fs.ErrNotExist) {
		j.size = -1
		return nil
	}
	if err != nil {
		return err
	}
	if st.Mode()&fs.ModeSymlink != 0 {
		return linked(j.target)
	}
	j.size = st.Size()
	return regular(j.target, st.Mode())
}

// linked refuses a symbolic link as a target, and says what to do: what is written
// through one may come into a file, or a file system, that nobody thought of.
func linked(target string) error {
	return fmt.Errorf("%s is a symbolic link, not a regular file; put the file itself in its place, or make its directory the link, and run the restore again", target)
}

// choose returns those of the offered files that one of the patterns matches, by
// their indexes; all without patterns. Each pattern must match something: restoring less than was
// asked for would look like success.
func choose(files []catalog.FileInfo, offered []int, patterns []string) ([]int, error) {
	var chosen []int
	for _, p := range patterns {
		if !doublestar.ValidatePattern(p) {
			return nil, fmt.Errorf("pattern %q: %w", p, doublestar.ErrBadPattern)
		}
		some := false
		for _, i := range offered {
			if matches(p, &files[i]) {
				some = true
				chosen = append(chosen, i)
			}
		}
		if !some {
			return nil, fmt.Errorf("no file of the set matches %q: %w; the set holds:\n%s", p, catalog.ErrNotFound, list(files))
		}
	}
	if len(patterns) == 0 {
		chosen = slices.Clone(offered)
	}
	slices.Sort(chosen)
	return slices.Compact(chosen), nil
}

// matches returns whether a valid pattern means a file. Brackets and stars are
// allowed in names of files, so the name itself is always a pattern for it.
func matches(pattern string, f *catalog.FileInfo) bool {
	glob := doublestar.MatchUnvalidated
	if !strings.Contains(pattern, "/") {
		base := filepath.Base(f.Path)
		return pattern == base || glob(pattern, base) ||
			f.Database != "" && (pattern == f.Database || glob(pattern, f.Database))
	}
	dir := strings.TrimRight(pattern, "/")
	return isInside(f.Path, dir) || glob(pattern, f.Path) || glob(dir+"/**", f.Path)
}

// list names the files of a set for an error message, not endlessly many.
func list(files []catalog.FileInfo) string {
	const most = 20
	var b strings.Builder
	for _, f := range files[:min(most, len(files))] {
		fmt.Fprintf(&b, "  %s", f.Path)
		if f.Database != "" {
			fmt.Fprintf(&b, " (database %s)", f.Database)
		}
		b.WriteByte('\n')
	}
	if n := len(files) - most; n > 0 {
		fmt.Fprintf(&b, "  and %d more\n", n)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// checkSpace compares what the targets are going to need with what their file
// systems have. What an existing target needs for holes that become data is not
// known before it is read, and not counted.
func (r *restorer) checkSpace() error {
	type room struct {
		dir        string
		need, free int64
	}
	rooms := make(map[uint64]*room) // by device
	for _, j := range r.jobs {
		dir := existing(filepath.Dir(j.target))
		var st unix.Stat_t
		if err := unix.Stat(dir, &st); err != nil {
			return &fs.PathError{Op: "stat", Path: dir, Err: err}
		}
		if rooms[st.Dev] == nil {
			free, err := freeSpace(dir)
			if err != nil {
				return err
			}
			rooms[st.Dev] = &room{dir: dir, free: free}
		}
		data := j.info.Size - j.info.ZeroBytes
		rooms[st.Dev].need += min(data, max(0, j.info.Size-max(0, j.size)))
	}
	for _, room := range rooms {
		if room.need <= room.free {
			continue
		}
		err := fmt.Errorf("not enough space in %s: %d bytes are needed, %d are free", room.dir, room.need, room.free)
		if !r.opts.DryRun {
			return err
		}
		r.warn("%v", err)
	}
	return nil
}

// existing returns the nearest of dir and the directories above it that exists.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// freeSpace returns how many bytes this process may add to the file system that
// holds dir, as far as that says.
func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if st.Blocks == 0 {
		return math.MaxInt64, nil // in memory, or somewhere far away
	}
	free := st.Bavail
	if os.Geteuid() == 0 {
		free = st.Bfree // with what is reserved for root
	}
	unit := st.Frsize
	if unit == 0 {
		unit = st.Bsize
	}
	return int64(free) * unit, nil
}
