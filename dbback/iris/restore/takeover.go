package restore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"datfs/dbback/iris/session"
)

// takeOver is called before the databases' files are written. It makes the restores
// over which this one was begun, with --anew, know that: repeated, each begins from the
// start, as its steps were of other files; given up, it does not put a write image
// journal back to databases that are not those it belongs to.
func (r *restoration) takeOver() error {
	if r.opts.Drill { // it writes nothing over
		return nil
	}
	for _, u := range r.others() {
		if len(u.Overlap(r.plan.dirs())) == 0 {
			continue
		}
		if err := markOverwritten(u.Dir); err != nil {
			return fmt.Errorf("the restore of %s, over which this one was begun, is to know that its databases are overwritten: %w; end that one before: %s", u.Set, err, u.EndCommand())
		}
	}
	return nil
}

// markOverwritten says in the state of a restore that another one writes its databases.
func markOverwritten(dir string) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	f, err := root.OpenFile(session.StateName, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	var b []byte
	if err == nil {
		b, err = io.ReadAll(f)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	s, _ := readState(b) // its command was read, so that it can be
	s.Next, s.Done, s.Copied = "", nil, true
	if b, err = json.MarshalIndent(s, "", "  "); err != nil {
		return err
	}
	const temp = session.StateName + ".tmp"
	if err := root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if f, err = root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = f.Chown(int(st.Uid), int(st.Gid)) // only root may; anybody else is the owner
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := root.Rename(temp, session.StateName); err != nil {
		return err
	}
	return syncDir(dir)
}
