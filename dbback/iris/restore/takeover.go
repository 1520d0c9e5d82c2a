package restore

import (
	"encoding/json"
	"errors"
	"fmt"

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
		err := r.markOverwritten(u)
		if foreign, ok := errors.AsType[*foreignError](err); ok {
			r.warn("%v", foreign)
			continue
		}
		if err != nil {
			return fmt.Errorf("the restore of %s, over which this one was begun, is to know that its databases are overwritten: %w; end that one before: %s", u.Set, err, u.EndCommand())
		}
	}
	return nil
}

// markOverwritten says in the state of a restore that another one writes its databases.
func (r *restoration) markOverwritten(u session.Unfinished) (err error) {
	dir, err := r.findLeft(u.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.close()) }()
	var s state
	if _, err := session.ReadState(dir.at(session.StateName), &s, &s.Unfinished); err != nil {
		return dir.said(err)
	}
	// What lies in the places of a drill is not its own any more: it must not remove it.
	s.Next, s.Done, s.Copied = "", nil, !s.Drill
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := dir.replace(session.StateName, append(b, '\n')); err != nil {
		return err
	}
	return dir.self.Sync()
}
