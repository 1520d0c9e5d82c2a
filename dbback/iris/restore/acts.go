package restore

import (
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

	"datfs/catalog"
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
			lines = append(lines, fmt.Sprintf(`rsync -aHAXI --inplace --no-whole-file "$SET"/databases%s %s`, shellWord(c.p.Set.Files[i].Path), shellWord(db.Files[i])))
			if c.p.Way == WayElsewhere {
				lines = append(lines, b.own(db.Files[i]))
			}
		}
	}
	b.shell(lines...)
}

func (c *copyAct) run(ctx context.Context, r *restoration) error {
	opts := dbback.RestoreOptions{Set: c.p.Set.SetName(), Place: c.p.files(), Progress: r.opts.Progress}
	for _, db := range c.p.Databases {
		if c.p.Way == WayElsewhere {
			if err := r.ownDir(filepath.Clean(db.To)); err != nil {
				return err
			}
		}
	}
	if c.p.Way == WayElsewhere {
		opts.Owner = c.p.opts.owner
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

func (c *unusedAct) paths() (out []string) {
	for _, db := range c.p.Databases {
		for _, i := range sortedKeys(db.Files) {
			out = append(out, db.Files[i])
		}
	}
	return out
}

func (c *unusedAct) show(b *book) {
	if c.p.Way != WayElsewhere {
		b.say("unused")
		b.shell("fuser -v " + shellWords(c.paths()))
		b.endShell() // its answer comes first
	}
}

func (c *unusedAct) run(_ context.Context, _ *restoration) error {
	users, err := openBy(c.paths())
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return fmt.Errorf("still in use: %s", strings.Join(users, "; "))
	}
	return nil
}

// An extractAct copies out of the set what the instance reads: its processes may
// not be able to read a mount.
type extractAct struct{ p *Plan }

func (c *extractAct) show(b *book) {
	p := c.p
	b.shell(b.newDir(p.Work))
	b.shell(fmt.Sprintf(`cp "$SET"/incremental/%s "$WORK"/`, shellWord(p.Set.Method.Incrementals[0])))
	if !p.journals.none {
		b.shell(b.newDir(p.journalDir()))
		for _, j := range p.journals.files {
			if !j.local() {
				b.shell(p.fetch(j))
			}
		}
		if log := p.journals.log; log != nil && !log.local() && p.Way != WayDatabases {
			b.shell(p.fetch(*log))
		}
	}
	b.shell(b.own(p.Work), b.share())
	if p.Way == WayEverything && !p.journals.none {
		b.say("survived")
	}
}

// fetch returns the command that copies a journal file out of the mount. Into the
// running instance only those are copied that it has no more.
func (p *Plan) fetch(j journalSource) string {
	from, to := `"$SET"/journals/`+shellWord(j.stored), `"$WORK"/journals/`
	if j.was != j.stored {
		to += shellWord(j.was)
	}
	if j.set != p.Set.SetName() {
		from = `"$SET"/../../../journals/` + shellWord(p.Set.Instance) + "/" + shellWord(j.stored)
	}
	cp := "cp " + from + " " + to
	if p.Way != WayDatabases {
		return cp
	}
	origin := dbback.PlainJournal(j.origin)
	return fmt.Sprintf("[ -e %s ] || [ -e %s ] || %s", shellWord(origin), shellWord(origin+"z"), cp)
}

func (c *extractAct) run(ctx context.Context, r *restoration) error {
	p := c.p
	place := make(placed)
	for i, f := range p.Set.Files {
		if f.Section == catalog.SectionIncremental && f.Path == p.Set.Method.Incrementals[0] {
			place.add(p.Set.SetName(), i, p.incremental())
		}
	}
	if err := p.placeJournals(r, place); err != nil {
		return err
	}
	return r.extract(ctx, place)
}

// A listAct writes the list of directories for ^DBREST, and a copy that stays.
type listAct struct{ p *Plan }

func (c *listAct) show(b *book) {
	b.file(c.p.listFile(), dirList(c.p.Databases))
	b.shell("cp "+b.work(c.p.listFile())+" "+b.work(c.p.listKept()), b.own(c.p.Work), b.share())
}

func (c *listAct) run(_ context.Context, r *restoration) error {
	r.transcribe("file " + c.p.listFile() + ":\n" + dirList(c.p.Databases) + "\n") // ^DBREST deletes it
	for _, path := range []string{c.p.listKept(), c.p.listFile()} {
		if err := r.writeOwned(path, []byte(dirList(c.p.Databases))); err != nil {
			return err
		}
	}
	return nil
}

// A dropAct removes what a drill restored.
type dropAct struct{ p *Plan }

func (c *dropAct) show(b *book) {
	var files []string
	for _, db := range c.p.Databases {
		for _, i := range sortedKeys(db.Files) {
			files = append(files, db.Files[i])
		}
	}
	b.shell("rm " + shellWords(files))
}

func (c *dropAct) run(_ context.Context, r *restoration) error {
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
