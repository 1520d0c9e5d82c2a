package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// An act is one thing that a step does. What a run-book shows of it and what is
// run come from the same act.
type act interface {
	// show adds to a run-book what a person does instead.
	show(b *book)
	// run does it.
	run(ctx context.Context, r *restoration) error
}

// A telling act is one that tells sessions something.
type telling interface{ tells() []string }

// A terminalAct is a session of the instance.
type terminalAct struct {
	name       string // for errors
	statements []string
	judge      func(r *restoration, a *session.Answer) error
	hours      bool // it may take that long
}

func (p *Plan) terminal(name string, statements []string, judge func(*restoration, *session.Answer) error) *terminalAct {
	return &terminalAct{name: name, statements: statements, judge: judge}
}

func (t *terminalAct) long() *terminalAct { t.hours = true; return t }

func (t *terminalAct) tells() []string { return t.statements }

func (t *terminalAct) show(b *book) { b.terminal(t.statements) }

func (t *terminalAct) run(ctx context.Context, r *restoration) error {
	task := r.instance.Statement
	if t.hours {
		task = r.instance.Long
	}
	a, err := r.session(ctx, task(t.name, session.NewScript(t.statements...)))
	if err != nil {
		return err
	}
	return t.judge(r, a)
}

// A copyAct puts the dirty copies in their places: only blocks that differ are
// written.
type copyAct struct{ p *Plan }

func (c *copyAct) show(b *book) {
	var lines []string
	for _, db := range c.p.Databases {
		if c.p.Way == WayElsewhere {
			lines = append(lines, b.newDir(db.To))
		}
		// Whatever times and sizes say: what a restore is for may have left them as
		// they were.
		for _, i := range sortedKeys(db.Files) {
			from, to := `"$SET"/databases`+shellWord(c.p.Set.Files[i].Path), shellWord(db.Files[i])
			if c.p.Way == WayElsewhere {
				lines = append(lines, "rsync -aHAXI --inplace --no-whole-file "+from+" "+to, b.own(db.Files[i]))
				continue
			}
			// What is there keeps its owner: on a machine that has taken the place of
			// the set's, the numbers in the set mean other users.
			user, group := b.owner()
			lines = append(lines, fmt.Sprintf("[ -e %[1]s ] || install -m 660 -o %[2]s -g %[3]s /dev/null %[1]s", to, user, group),
				"rsync -aHAXI --no-owner --no-group --inplace --no-whole-file "+from+" "+to)
		}
	}
	b.shell(lines...)
}

func (c *copyAct) run(ctx context.Context, r *restoration) error {
	opts := dbback.RestoreOptions{Set: c.p.Set.SetName(), Place: c.p.files(), Progress: r.opts.Progress}
	switch {
	case c.p.Way == WayElsewhere:
		opts.Owner = c.p.opts.owner // the directories are there: it holds them
	case r.opts.OtherHost: // the set has numbers of users of the machine that was before
		opts.KeepOwner, opts.Owner = true, ownerOf(cmp.Or(c.p.manager(), r.mgr))
		for _, dir := range c.p.dirs() {
			if err := ownDir(filepath.Clean(dir), opts.Owner); err != nil {
				return err
			}
		}
	}
	report, err := dbback.Restore(ctx, r.repo, opts)
	if report != nil {
		r.report.Bytes, r.report.WrittenBytes = report.Size, report.WrittenBytes
		for _, w := range report.Warnings {
			r.warn("%s", w)
		}
	}
	if err == nil {
		r.state.Applied = false
	}
	return err
}

// An againAct does something only if an incremental was begun to be applied since
// the copy: the second instance has the databases mounted then.
type againAct struct{ act }

func (c *againAct) show(*book) {}

func (c *againAct) run(ctx context.Context, r *restoration) error {
	if !r.state.Applied {
		return nil
	}
	return c.act.run(ctx, r)
}

// A remountAct mounts the databases if a run before this one ended in the step that
// it belongs to: an instance that was started anew since does not know those that
// are not in its configuration.
type remountAct struct {
	act  // the mount; not shown, nor told unless it is run
	step string
}

func (c *remountAct) show(*book) {}

func (c *remountAct) run(ctx context.Context, r *restoration) error {
	if r.resumed != c.step {
		return nil
	}
	return c.act.run(ctx, r)
}

// A removeAct removes lock files that stayed behind: a database beside one of
// another machine is mounted read-only (seen in the field). The database was
// dismounted before, and nobody has it open.
type removeAct struct{ paths []string }

func (c *removeAct) show(b *book) {
	b.shell("rm -f " + shellWords(c.paths))
}

func (c *removeAct) run(_ context.Context, r *restoration) error {
	for _, path := range c.paths {
		err := os.Remove(path)
		if err == nil {
			r.note("removed %s, which was left over", path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// An unusedAct makes sure that no process has the files open that are about to be
// written.
type unusedAct struct{ p *Plan }

func (c *unusedAct) show(b *book) {
	if c.p.Way != WayElsewhere {
		b.say("unused")
		user, group := b.owner()
		b.say("nodir", fmt.Sprintf("install -d -m 770 -o %s -g %s DIR", user, group))
	}
	b.say("links")
	if c.p.Way == WayEverything {
		b.mustBe("down", c.p.Target)
	}
	if c.p.Way != WayElsewhere {
		// It says a lot of processes that it cannot look into.
		b.shell("command -v fuser || { echo no fuser; exit 1; }", "if fuser "+shellWords(c.p.paths())+" 2>/dev/null; then exit 1; fi")
		b.refuse("! -d", c.p.dirs())
	}
	b.refuse("-L", c.p.paths())
}

func (c *unusedAct) run(_ context.Context, _ *restoration) error {
	users, err := dbback.OpenBy(c.p.paths())
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return fmt.Errorf("still in use: %s", strings.Join(users, "; "))
	}
	return nil
}

// A listAct writes the list of directories for ^DBREST, and a copy that stays.
type listAct struct{ p *Plan }

func (c *listAct) show(b *book) {
	b.line("%s\n", say(b.lang, "file"))
	b.file(c.p.listFile(), dirList(c.p.Databases))
	b.shell("cp "+b.work(c.p.listFile())+" "+b.work(c.p.listKept()), b.own(c.p.Work), b.share())
}

func (c *listAct) run(_ context.Context, r *restoration) error {
	r.transcribe("file " + c.p.listFile() + ":\n" + dirList(c.p.Databases) + "\n") // ^DBREST deletes it
	work, err := r.openOwned(c.p.Work)
	if err != nil {
		return err
	}
	for _, path := range []string{c.p.listKept(), c.p.listFile()} {
		if err == nil {
			err = work.write(filepath.Base(path), []byte(dirList(c.p.Databases)))
		}
	}
	return errors.Join(err, work.close())
}

// A dropAct removes what a drill restored.
type dropAct struct{ p *Plan }

func (c *dropAct) show(b *book) {
	b.shell("rm " + shellWords(c.p.paths()))
}

func (c *dropAct) run(_ context.Context, r *restoration) error {
	if !r.mayRemove() {
		return nil
	}
	var failed []error
	for _, db := range c.p.Databases {
		for _, path := range db.Files {
			failed = append(failed, dbback.RemoveTarget(path))
		}
	}
	failed = append(failed, (&removeAct{c.p.lockFiles()}).run(context.Background(), r))
	r.removeMade()
	return errors.Join(failed...)
}

// files returns where all files of the plan's databases go.
func (p *Plan) files() map[int]string {
	all := make(map[int]string)
	for _, db := range p.Databases {
		maps.Copy(all, db.Files)
	}
	return all
}

// paths returns the same as a list, in order.
func (p *Plan) paths() (out []string) {
	for _, db := range p.Databases {
		for _, i := range sortedKeys(db.Files) {
			out = append(out, db.Files[i])
		}
	}
	return out
}

func sortedKeys(m map[int]string) []int {
	return slices.Sorted(maps.Keys(m))
}

// journalsApplied is the judge of the step "journals".
func (r *restoration) journalsApplied(a *session.Answer) error {
	notes, warnings, err := judgeJournals(a, r.plan)
	for _, n := range notes {
		r.note("%s", n)
	}
	for _, w := range warnings {
		r.warn("%s", w)
	}
	if err != nil {
		return err
	}
	r.report.Reached = r.plan.journals.reaches
	if m, ok := a.Find("JLAST"); ok {
		r.report.Reached, r.report.LastJournal = time.Now(), filepath.Base(m.Value)
	} else {
		r.report.LastJournal = r.plan.journals.last
	}
	return nil
}
