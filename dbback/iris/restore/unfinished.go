package restore

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"datfs/dbback/iris/session"
)

// An UnfinishedError means that another restore of the same databases was begun and
// has not ended: what it has left is overwritten only if that is asked for.
type UnfinishedError struct {
	Other session.Unfinished
	Dirs  []string // of databases of both
}

func (e *UnfinishedError) Error() string {
	o := &e.Other
	return fmt.Sprintf("%v: a restore of %s, begun at %s, has not ended, and has databases of this one: %s; it came to the step %s: %s",
		ErrRefused, o.Set, stamp(o.Begun), strings.Join(e.Dirs, ", "), o.Step, english("state."+o.Step))
}

// Unwrap makes it a refusal.
func (e *UnfinishedError) Unwrap() error { return ErrRefused }

// command returns what somebody types to do this again.
func (r *restoration) command() string { return cmp.Or(r.opts.Command, r.plan.Command()) }

// home returns the usual work directory of the instance whose databases these are:
// where its backups look for restores that have not ended.
func (r *restoration) home() string {
	if r.plan.Way == WayEverything {
		return session.UsualWorkDir(r.plan.manager())
	}
	return session.UsualWorkDir(r.mgr)
}

// others returns the other restores that have not ended, as far as they can be
// known: those in the same work directory, and in that of the instance.
func (r *restoration) others() (out []session.Unfinished) {
	own, _ := os.Stat(r.plan.Work)
	for _, u := range session.UnfinishedRestores(filepath.Dir(r.plan.Work), r.home()) {
		info, err := os.Stat(u.Dir)
		if err == nil && own != nil && os.SameFile(info, own) && u.Key == r.state.Key {
			continue
		}
		out = append(out, u)
	}
	return out
}

// checkOthers refuses a restore whose databases another one has begun to restore:
// the one that is meant may be that other one, under a name such as "latest", and
// what the databases hold now may be in a set by now. A drill has its own directory.
func (r *restoration) checkOthers() error {
	for _, u := range r.others() {
		both := u.Overlap(r.plan.dirs())
		if len(both) == 0 || r.opts.Drill || r.resumed != "" && u.Begun.Before(r.state.Begun) { // begun over it
			continue
		}
		if own, _ := filepath.EvalSymlinks(r.plan.Work); u.Dir != own { // which it has locked
			if err := atWork(&u); err != nil {
				return err
			}
		}
		if !r.opts.Anew {
			return &UnfinishedError{Other: u, Dirs: both}
		}
		r.opts.Log("the restore of %s, which came to the step %s, is not gone on with", u.Set, u.Step)
		r.state.Applied = true // as likely as not, the second instance has them mounted
		r.state.Half = r.state.Half || u.Half
	}
	return nil
}

// removeCovered removes what is left of restores that were given up, and all of
// whose databases are restored now: the incrementals in it are not encrypted.
func (r *restoration) removeCovered() {
	if r.opts.Drill { // what it restored is gone
		return
	}
	for _, u := range r.others() {
		if len(u.Dirs) == 0 || len(u.Overlap(r.plan.dirs())) < len(u.Dirs) {
			continue
		}
		if err := r.removeLeft(u); err != nil {
			r.warn("%s, which is left of the restore of %s, whose databases are restored now, could not be removed: %v; remove it", session.Printable(u.Dir), u.Set, err)
			continue
		}
		removeLinks(filepath.Dir(r.plan.Work), u.Dir)
		removeLinks(r.home(), u.Dir)
		r.note("removed %s, of a restore of %s that had not ended: its databases are restored now", u.Dir, u.Set)
	}
}

// link leaves a link to the work directory where backups of the instance look, if
// the restore works elsewhere. They are warned by it, no more: without it the
// restore is as good.
func (r *restoration) link() {
	if link := r.linkName(); link != "" {
		_ = os.Symlink(r.plan.Work, link) // given to nobody: the owner could have put a file in its place
	}
}

func (r *restoration) unlink() { removeLinks(r.home(), r.plan.Work) }

// linkName returns the name of the link; "" if there needs to be none.
func (r *restoration) linkName() string {
	home := r.home()
	if filepath.Dir(r.plan.Work) == home || r.opts.Drill {
		return ""
	}
	return filepath.Join(home, session.RestorePrefix+shortSum(r.plan.Work))
}

// removeLinks removes links to a work directory.
func removeLinks(from, to string) {
	links, err := os.ReadDir(from)
	if err != nil {
		return
	}
	for _, e := range links {
		path := filepath.Join(from, e.Name())
		if !strings.HasPrefix(e.Name(), session.RestorePrefix) || e.Type() != fs.ModeSymlink {
			continue
		}
		if target, err := os.Readlink(path); err == nil && target == to {
			_ = os.Remove(path)
		}
	}
}
