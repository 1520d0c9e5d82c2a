package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"datfs/catalog"
	"datfs/dbback/iris/session"
)

// A GivenUp says how a restore that had not ended was given up. Its JSON field names
// are stable.
type GivenUp struct {
	Set     string    `json:"set"`
	Removed string    `json:"removed"`         // its directory
	Begun   time.Time `json:"begun,omitzero"`  // its first run
	Step    string    `json:"step,omitempty"`  // the one that it came to; "" if that is not known
	State   string    `json:"state"`           // in which state the databases are, a sentence
	Notes   []string  `json:"notes,omitempty"` // what else is worth knowing
}

// GiveUp ends a restore that has not come to its end: it removes what that keeps to be
// gone on with. The databases are left as they are. Options are those of the restore; agree
// is asked before anything is changed, with what is going to be done: an error ends it.
func GiveUp(ctx context.Context, in *session.Instance, repo *catalog.Repository, set catalog.SetName, opts RunOptions, agree func(does []string) error) (*GivenUp, error) {
	r := &restoration{repo: repo, instance: in, opts: opts, report: &Report{Set: set.String()}}
	r.opts.Log, r.opts.Step = func(string, ...any) {}, func(string, string) {}
	fail := func(err error) (*GivenUp, error) { return nil, fmt.Errorf("give up the restore %s: %w", set, err) }
	if err := r.begin(ctx, set); err != nil {
		return fail(err)
	}
	if err := in.Lock(r.mgr, true); err != nil {
		return fail(fmt.Errorf("lock of the instance: %w", err))
	}
	defer func() { _ = in.Unlock() }()
	if _, err := os.Lstat(r.plan.Work); errors.Is(err, fs.ErrNotExist) {
		return fail(fmt.Errorf("%s: %w: no restore of these databases of the set has been begun and not ended", r.plan.Work, catalog.ErrNotFound))
	}
	if err := r.lockWork(); err != nil {
		return fail(err)
	}
	s, _, err := r.readState() // whatever its key
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	r.state = s
	out := &GivenUp{Set: set.String(), Removed: r.plan.Work, Begun: r.state.Begun, Step: r.state.Step, State: english("state.unknown")}
	if out.Step != "" {
		out.State = english("state." + out.Step)
	}
	if err := agree(r.giveUpDoes()); err != nil {
		return fail(err)
	}
	if err := r.letTargetGo(ctx); err != nil {
		return fail(err)
	}
	if err := r.putBackWIJ(); err != nil {
		return fail(err)
	}
	out.Notes = r.report.Notes
	if err := r.finish(); err != nil {
		return fail(err)
	}
	return out, nil
}

// giveUpDoes says what giving up is going to do.
func (r *restoration) giveUpDoes() (does []string) {
	if r.targetHeld() {
		does = append(does, fmt.Sprintf("the databases are dismounted in %s", r.plan.Instance))
	}
	for _, a := range r.state.Aside {
		from, to := a[0], a[1]
		_, err := os.Lstat(to)
		if _, newer := os.Lstat(from); err == nil && !r.written() && errors.Is(newer, fs.ErrNotExist) && r.plan.isAside(from, to) {
			does = append(does, fmt.Sprintf("%s is moved back to %s: the databases are those that it belongs to", to, from))
		}
	}
	return append(does, fmt.Sprintf("%s is removed: it cannot be gone on with then", r.plan.Work), "the databases stay as they are")
}

// targetHeld returns whether the second instance may have the databases mounted.
func (r *restoration) targetHeld() bool {
	return r.plan.Way == WayEverything && r.state.Applied && !r.done(stepRelease)
}

// letTargetGo dismounts the databases of an instance that is down in the second one,
// if that may have mounted them.
func (r *restoration) letTargetGo(ctx context.Context) error {
	if !r.targetHeld() {
		return nil
	}
	if err := r.plan.dismount().run(ctx, r); err != nil {
		return err
	}
	r.note("the databases were dismounted in %s", r.plan.Instance)
	return nil
}

// putBackWIJ moves the WIJ back, if the databases are as they were: its blocks are
// missing in them then. Otherwise, and if another restore has written them (takeOver), it
// stays aside.
func (r *restoration) putBackWIJ() error {
	for _, a := range r.state.Aside {
		from, to := a[0], a[1]
		if !r.plan.isAside(from, to) {
			r.note("%s and %s, which the state names, are not a write image journal of this instance and what it was moved aside to: they are not touched; look whether there is one in %s to be put back",
				session.Printable(from), session.Printable(to), r.plan.wijDir())
			continue
		}
		if _, err := os.Lstat(to); err != nil {
			continue // it was never moved, or removed since
		}
		_, err := os.Lstat(from)
		switch {
		case r.written():
			r.note("%s belongs to the databases as they were before: it must not be put back", to)
		case err == nil:
			r.note("%s is left: there is a newer %s", to, from)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		default:
			if err := os.Rename(to, from); err != nil {
				return err
			}
			r.note("%s was moved back from %s: the databases are those that it belongs to", from, to)
		}
	}
	if len(r.state.Aside) == 0 {
		return nil
	}
	return r.plan.syncWIJ() // the state is removed next
}
