package restore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"datfs/dbback/iris/session"
)

// What only a restore of everything does. The order is that of the manual (Backup
// and Restore, full system restore from a concurrent external backup): the
// instance stays down, a second one applies incremental and journals, and then it
// is started without automatic WIJ and journal recovery.

// wijNames are what the write image journal is called.
var wijNames = []string{"IRIS.WIJ", "CACHE.WIJ"}

// asideSuffix is what a WIJ that was moved aside has at its end, before the time
// of the set.
const asideSuffix = ".datfs-"

// A wijAct moves the write image journal of the instance aside: its blocks are of
// the databases as they were, and would be written into the restored ones.
type wijAct struct{ p *Plan }

// manager returns the manager directory of the instance that gets its databases
// back, with a slash.
func (p *Plan) manager() string { return p.Set.Method.Facts[factManager] }

// wijDir returns where the last run of the instance had its WIJ: the line
// wijlast= of startup.last, or else where the set says that it was.
func (p *Plan) wijDir() string {
	dir, known := session.ReadSettings(filepath.Join(p.manager(), "startup.last"))["wijlast"]
	switch {
	case dir != "":
		return dir
	case known:
		return p.manager() // empty: where it is by default
	}
	if dir := p.Set.Method.Facts["WIJ"]; dir != "" {
		return dir
	}
	return p.manager()
}

func (p *Plan) asideName(name string) string { return name + asideSuffix + p.Set.Name }

func (c *wijAct) show(b *book) {
	p := c.p
	name := wijNames[0]
	if p.cacheNames() {
		name = wijNames[1]
	}
	dir := p.Set.Method.Facts["WIJ"]
	if dir == "" {
		dir = p.manager()
	}
	b.shell("grep wijlast= " + shellWord(filepath.Join(p.manager(), "startup.last")))
	b.say("wij.where", p.manager()) // its answer says what WIJ has to be
	b.set("WIJ=" + shellWord(strings.TrimSuffix(dir, "/")))
	b.mustBe("down", p.Target)
	// Whatever was moved aside before stays: it may be the one that counts.
	aside := p.asideName(name)
	b.shell(fmt.Sprintf(`if [ -e "$WIJ"/%[1]s ]; then mv -n "$WIJ"/%[1]s "$WIJ"/%[2]s-"$(date -u +%%Y%%m%%d%%H%%M%%S)"; fi`, name, aside))
	b.shell(fmt.Sprintf(`if [ -e "$WIJ"/%s ]; then ls -l "$WIJ"; exit 1; fi`, name))
	b.shell(fmt.Sprintf(`ls -l "$WIJ"/%s*`, aside))
	b.say("wij.none", name)
}

func (c *wijAct) run(_ context.Context, r *restoration) error {
	found, err := c.p.wijs()
	if err != nil {
		return err
	}
	for _, from := range found {
		to := filepath.Join(filepath.Dir(from), c.p.asideName(filepath.Base(from)))
		if _, err := os.Lstat(to); err == nil { // of a restore before this one: keep both
			to += "-" + time.Now().UTC().Format(asideAgain)
		}
		r.state.Aside = append(r.state.Aside, [2]string{from, to})
		if err := r.save(); err != nil {
			return err
		}
		if err := os.Rename(from, to); err != nil {
			return err
		}
		r.note("%s was moved to %s; remove it when the restored databases have proved good", from, to)
	}
	if len(found) == 0 {
		r.note("there is no write image journal in %s", c.p.wijDir())
	}
	return c.p.syncWIJ() // also of a run before this one, which may have failed at that
}

// wijs returns the write image journals that there are where the last run of the
// instance had its own.
func (p *Plan) wijs() (found []string, err error) {
	for _, name := range wijNames {
		path := filepath.Join(p.wijDir(), name)
		if _, err := os.Lstat(path); err == nil {
			found = append(found, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return found, nil
}

// checkStarted looks whether the instance was started between two runs, after its
// WIJ was moved aside: it has one again then, whose blocks would be written into the
// restored databases, and may have changed these. The restore begins again with the
// step that moves it aside, and so puts the copies back too.
func (r *restoration) checkStarted() error {
	if !r.done(stepWIJ) || r.done(stepRelease) {
		return nil
	}
	found, err := r.plan.wijs()
	if err != nil || len(found) == 0 {
		return err
	}
	r.startedMeanwhile()
	text := fmt.Sprintf("%s is there again: %s was started since the step %s, and what it did to its databases is discarded: beginning again with the step %s",
		found[0], r.plan.Target, stepWIJ, stepWIJ)
	keep(&r.report.Notes, r.opts.Log, text)
	keep(&r.state.Notes, nil, text)
	return nil
}

// startedMeanwhile makes the restore, repeated, begin again with the step that moves
// the WIJ aside.
func (r *restoration) startedMeanwhile() {
	r.state.Next, r.state.Done, r.state.Half = stepWIJ, nil, true
}

// A noLockAct makes sure that the second instance has let go of the databases.
type noLockAct struct{ p *Plan }

func (c *noLockAct) show(b *book) { b.refuse("-e", c.p.lockFiles()) }

func (c *noLockAct) run(_ context.Context, _ *restoration) error {
	for _, path := range c.p.lockFiles() {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is still there: the database is mounted somewhere", path)
		}
	}
	return nil
}

// controlProgram starts and stops instances.
func (p *Plan) controlProgram() string {
	if p.cacheNames() {
		return "ccontrol"
	}
	return "iris"
}

// A startAct starts the instance without automatic WIJ and journal recovery: the
// WIJ is aside, and EmergencyId starts it in what the manual calls maintenance
// mode.
type startAct struct{ p *Plan }

func (c *startAct) show(b *book) {
	control, target := c.p.controlProgram(), shellWord(c.p.Target)
	b.set("EMERGENCY_USER=", "EMERGENCY_PASSWORD=")
	b.say("start.do")
	// With which exit code a start ends that does not come fully up is not documented.
	b.shell(fmt.Sprintf(`%s start %s EmergencyId="$EMERGENCY_USER","$EMERGENCY_PASSWORD" || true`, control, target))
	b.mustBe("running", c.p.Target)
	b.say("sturecov", c.p.bareSession(c.p.Target))
	b.line("```text\nzn \"%%SYS\"\ndo ^STURECOV\n```\n")
	b.say("sturecov.do", control)
}

func (c *startAct) run(ctx context.Context, r *restoration) error {
	status, err := r.status(ctx, c.p.Target)
	if err != nil {
		return err
	}
	byHand := r.released && strings.HasPrefix(status, "running") // after all was restored
	if !r.state.Started && !byHand {
		if err := c.notStarted(r, status); err != nil {
			return err
		}
	}
	switch {
	case strings.HasPrefix(status, "running"):
		return nil // by a run before this one, or by hand
	case !strings.HasPrefix(status, "down"):
		by := &ByHandError{Target: c.p.Target, Status: status}
		if r.state.ByHand[0] != "" {
			by.File = r.stateFile()
		}
		return by
	}
	// A user that exists for this start only. Its password is in an argument, as
	// the product wants it, and worth nothing after that.
	// A run that was killed here may have started it: its user stays.
	if r.state.Emergency[0] == "" {
		r.state.Emergency = [2]string{"datfs" + strings.ToLower(rand.Text()[:8]), rand.Text()[:16]}
	}
	r.state.Started = true
	if err := r.save(); err != nil {
		return err
	}
	id := r.state.Emergency[0] + "," + r.state.Emergency[1]
	r.state.ByHand = [2]string{}
	failed := r.control(ctx, id, "start", c.p.Target, "EmergencyId="+id)
	if status, err = r.status(ctx, c.p.Target); err != nil {
		return errors.Join(failed, err)
	}
	if strings.HasPrefix(status, "running") {
		return nil
	}
	user := r.state.Emergency
	r.state.Emergency = [2]string{} // of a start that came to nothing
	if failed != nil && strings.HasPrefix(status, "down") {
		return failed
	}
	// With which exit code a start ends that does not come fully up is not documented.
	by := &ByHandError{Target: c.p.Target, Status: status}
	if !strings.HasPrefix(status, "down") { // it may know this user only
		r.state.ByHand, by.File = user, r.stateFile()
	}
	return by
}

// notStarted refuses to start an instance, or to go on with one, that somebody else
// has started since its WIJ was moved aside: it may have changed its databases.
func (c *startAct) notStarted(r *restoration, status string) error {
	found, err := c.p.wijs()
	if err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(status, "running"):
		err = fmt.Errorf("%s was started while it was being restored, and not by this restore: shut it down", c.p.Target)
	case len(found) > 0:
		err = fmt.Errorf("%s is there again: %s was started while it was being restored, and not by this restore", found[0], c.p.Target)
	default:
		return nil
	}
	r.intruded = true
	r.startedMeanwhile()
	return err
}

// A ByHandError means that an instance which was started without WIJ and journal
// recovery did not come up by itself. The manual says that this is the normal
// case, and gives the steps: they are an operator's.
type ByHandError struct {
	Target, Status string
	File           string // with user and password of the start, "" if there are none
}

func (e *ByHandError) Error() string {
	return fmt.Sprintf("%s did not come fully up by itself (it is: %s), which is usual after a restore: its databases are restored, the start has to be finished by hand with ^STURECOV, as the run-book says%s; shut it down as that tells, and run this restore again, which starts it", e.Target, e.Status, e.login())
}

// login says with which user to log in.
func (e *ByHandError) login() string {
	if e.File == "" {
		return ""
	}
	return ` (if it asks for a user and a password: "by_hand" in ` + e.File + ` has those of this start)`
}

// A validateAct looks whether the instance has all its databases mounted for
// writing.
type validateAct struct{ p *Plan }

func (c *validateAct) tells() []string { return stateStatements(c.p.dirs()) }

func (c *validateAct) show(b *book) { b.terminalOf(shellWord(c.p.Target), c.tells()) }

func (c *validateAct) run(ctx context.Context, r *restoration) error {
	// Without a user it was started by hand.
	target, err := r.instance.Other(c.p.Target, r.state.Emergency[0], []byte(r.state.Emergency[1]))
	if err != nil {
		return err
	}
	return r.look(ctx, target, c.p.dirs())
}

// look asks an instance whether the databases are mounted for writing.
func (r *restoration) look(ctx context.Context, in *session.Instance, dirs []string) error {
	a, err := r.sessionOf(ctx, in, in.Statement("asking for the state of the databases", session.NewScript(stateStatements(dirs)...)))
	if err != nil {
		return err
	}
	return judgeWritable(a, dirs)
}

// A normalAct stops the instance and starts it as always.
type normalAct struct{ p *Plan }

func (c *normalAct) show(b *book) {
	b.shell(fmt.Sprintf("%s stop %s quietly", c.p.controlProgram(), shellWord(c.p.Target)),
		fmt.Sprintf("%s start %s", c.p.controlProgram(), shellWord(c.p.Target)))
	b.mustBe("running", c.p.Target)
	b.terminalOf(shellWord(c.p.Target), c.tells())
}

func (c *normalAct) tells() []string { return stateStatements(c.p.dirs()) }

func (c *normalAct) run(ctx context.Context, r *restoration) error {
	status, err := r.status(ctx, c.p.Target)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(status, "down") { // as a run before this one may have left it
		if err := r.control(ctx, "", "stop", c.p.Target, "quietly"); err != nil {
			return err
		}
	}
	if err := r.control(ctx, "", "start", c.p.Target); err != nil {
		return err
	}
	r.state.Emergency, r.state.ByHand = [2]string{}, [2]string{}
	target, err := r.instance.Other(c.p.Target, "", nil)
	if err != nil {
		return err
	}
	return r.look(ctx, target, c.p.dirs())
}

// control runs the command that starts and stops instances. secret is not kept
// of what it says.
func (r *restoration) control(ctx context.Context, secret string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	cmd := r.instance.Program(ctx, r.controlProgram(), args...)
	// Into a file: what it starts lives on, and would keep a pipe open.
	work, err := r.openOwned(r.plan.Work)
	if err != nil {
		return err
	}
	out, err := work.create(controlName)
	if err != nil {
		return errors.Join(err, work.close())
	}
	defer func() { _, _, _ = out.Close(), work.root.Remove(controlName), work.close() }()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	text, rerr := io.ReadAll(io.NewSectionReader(out, 0, maxTranscript)) // it stands at its end
	line := session.Scrub(strings.Join(append([]string{r.controlProgram()}, args...), " "), []byte(secret))
	said := session.Scrub(string(text), []byte(secret))
	r.transcribe("$ " + line + "\n" + said + "\n")
	if err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, session.LastLines(said))
	}
	return rerr
}

// controlName is the file in the work directory with what that command says.
const controlName = "control.txt"

// startTimeout is how long a start or stop may take: a stop waits for processes,
// a start for recovery.
const startTimeout = 30 * time.Minute

func (r *restoration) controlProgram() string {
	return cmp.Or(r.instance.ControlProgram(), r.plan.controlProgram())
}

// status returns the status of an instance as "iris qlist" gives it, in lower case.
func (r *restoration) status(ctx context.Context, instance string) (string, error) {
	line, err := r.qlist(ctx, instance)
	if err != nil {
		return "", err
	}
	return strings.ToLower(line.Status), nil
}

func (r *restoration) qlist(ctx context.Context, instance string) (session.QlistLine, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	line, said, err := r.instance.Qlist(ctx, r.controlProgram(), instance)
	r.transcribe(said)
	return line, err
}
