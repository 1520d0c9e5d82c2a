package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"datfs/catalog"
	"datfs/dbback/iris/session"
)

// RunOptions says how [Run] works.
type RunOptions struct {
	Options

	Progress *catalog.Progress
	Anew     bool // do not go on with a restore that failed, begin again; also over another one's databases
	Damaged  bool // of a set too in which damage was found
	LookOnly bool // do the step "look", and nothing else

	// Command is what somebody types to do this again, with the name of the set in
	// full; "": that of the plan.
	Command string

	// Step is told of each step as it begins. nil is fine.
	Step func(step, what string)
	// Log is told of what is worth knowing while it happens. nil is fine.
	Log func(format string, args ...any)
	// Confirm is asked before anything is changed: an error ends the restore. next
	// is the first step that would be taken. nil is fine.
	Confirm func(p *Plan, next string) error
	// Planned is told of the plan before its first step. nil is fine.
	Planned func(p *Plan)
}

// A Report says what a restore did. Its JSON field names are stable; sizes
// are in bytes.
type Report struct {
	Set       string    `json:"set"`
	Way       Way       `json:"way"`
	Instance  string    `json:"instance"`         // whose sessions were used
	Target    string    `json:"target,omitempty"` // the instance that got its databases back, if it is another one
	Began     time.Time `json:"began"`
	Ended     time.Time `json:"ended"`
	Databases []struct {
		Name string `json:"name"`
		To   string `json:"to"`
	} `json:"databases"`
	Steps        []DoneStep `json:"steps"`
	Bytes        int64      `json:"bytes"`         // of the database files
	WrittenBytes int64      `json:"written_bytes"` // of these: what differed

	LastJournal string             `json:"last_journal,omitempty"`
	Reached     time.Time          `json:"reached,omitzero"`   // the moment to which the journals brought the databases
	Clean       bool               `json:"clean"`              // the integrity check ran to its end and found nothing
	Damage      []IntegrityFinding `json:"damage,omitempty"`   // what it found
	Failed      string             `json:"failed,omitempty"`   // why it did not come to its end
	Warnings    []string           `json:"warnings,omitempty"` // what is not as it should be
	Notes       []string           `json:"notes,omitempty"`    // what else is worth knowing

	Transcript string `json:"-"` // what the instance was told and answered
}

// A DoneStep is a step of a restore that was taken.
type DoneStep struct {
	Step  string    `json:"step"`
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
}

// A StepError is the failure of a step of a restore.
type StepError struct {
	Set     string
	Step    string
	State   string // in which state the databases are, a sentence
	Again   string // the step that the same restore, repeated, begins with; "": it begins anew
	Work    string // where it keeps what it knows
	Command string // that repeats it; "" if nothing was begun
	Err     error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("restore %s: step %s: %v", e.Set, e.Step, e.Err)
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// A restoration is one run of a restore.
type restoration struct {
	repo     *catalog.Repository
	instance *session.Instance // with the sessions
	mgr      string            // its manager directory, absolute; "" before it was asked
	version  string            // what it says of its product and version
	plan     *Plan
	opts     RunOptions
	report   *Report
	state    state
	resumed  string // the step that it went on with; "" if it began anew
	released bool   // the step "release" was taken in a run before this one
	looked   bool   // the step "look" was taken
	intruded bool   // somebody else has started the instance in this run
	synced   bool   // the names of its directories are durable

	there   []string  // files of its databases that there were at the look
	holding []heldDir // directories of databases
	working bool      // it has the work directory locked

	transcript strings.Builder
}

// Run restores a set through an instance, step by step as the plan says. A restore
// that failed is gone on with by the same call: its state is kept in the work
// directory. The report is there with an error too, as far as it came. The failure
// of a step is a *StepError; what must not be done is ErrRefused; damage that the
// integrity check found is a *DamageError; session.ErrBusy means that another datfs
// is at work.
func Run(ctx context.Context, in *session.Instance, repo *catalog.Repository, set catalog.SetName, opts RunOptions) (*Report, error) {
	r := &restoration{repo: repo, instance: in, opts: opts, report: &Report{Set: set.String(), Began: time.Now()}}
	if r.opts.Log == nil {
		r.opts.Log = func(string, ...any) {}
	}
	if r.opts.Step == nil {
		r.opts.Step = func(string, string) {}
	}
	err := r.begin(ctx, set)
	if err != nil {
		return r.report, fmt.Errorf("restore %s: %w", set, err)
	}
	if err := in.Lock(r.mgr, true); err != nil {
		return r.report, fmt.Errorf("restore %s: lock of the instance: %w", set, err)
	}
	defer func() { r.letGo(); _ = in.Unlock() }()
	if err := r.ready(); err != nil {
		return r.report, fmt.Errorf("restore %s: %w", set, err)
	}
	err = r.steps(ctx)
	r.report.Ended, r.report.Transcript = time.Now(), r.transcript.String()
	return r.report, err
}

// begin finds out who the instance is, and makes the plan.
func (r *restoration) begin(ctx context.Context, set catalog.SetName) error {
	s, err := r.repo.OpenSet(set)
	if err != nil {
		return err
	}
	info := s.Info()
	if err := s.Close(); err != nil {
		return err
	}
	r.opts.Instance = r.instance.Name()
	if _, err := NewPlan(info, r.opts.Options); err != nil {
		return err // before a session is opened
	}
	if err := r.meet(ctx); err != nil {
		return err
	}
	r.opts.WorkDir = r.instance.WorkDir(r.mgr)
	r.opts.owner = ownerOf(r.mgr)
	if err := r.findJournals(ctx, info); err != nil {
		return err
	}
	if r.plan, err = NewPlan(info, r.opts.Options); err != nil {
		return err
	}
	p := r.plan
	r.report.Way, r.report.Instance = p.Way, p.Instance
	if p.Target != p.Instance {
		r.report.Target = p.Target
	}
	for _, db := range p.Databases {
		r.report.Databases = append(r.report.Databases, struct {
			Name string `json:"name"`
			To   string `json:"to"`
		}{db.Name, db.To})
	}
	if r.opts.Planned != nil {
		r.opts.Planned(p)
	}
	return nil
}

// ready reads what runs before this one left, when no other one is at work any more.
func (r *restoration) ready() error {
	if err := r.lockOldWork(); err != nil {
		return err
	}
	if err := r.load(); err != nil {
		return err
	}
	r.released = r.done(stepRelease)
	if err := r.checkSame(); err != nil {
		return err
	}
	if err := r.checkOthers(); err != nil {
		return err
	}
	if err := r.checkDamage(); err != nil {
		return err
	}
	p := r.plan
	if text := p.gapText(English); text != "" && !r.done(stepJournals) && p.checkJoined() == nil { // the look says the rest
		r.warn("%s", text)
	}
	return nil
}

// meet opens the first session: whose manager directory is it?
func (r *restoration) meet(ctx context.Context) error {
	a, err := r.session(ctx, r.instance.Statement("asking who the instance is", session.NewScript(session.ManagerStatement())))
	if err != nil {
		return err
	}
	dir, err := a.Manager()
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() { // before anything is made in it
		return fmt.Errorf("the manager directory %s of the instance is not here: paths must mean the same in its sessions and for datfs", session.Printable(session.Slashed(dir)))
	}
	r.mgr, r.version = dir, a.ProductVersion()
	return session.MakeDir(r.instance.WorkDir(r.mgr))
}

// steps takes the steps, from the one on that is to be taken next.
func (r *restoration) steps(ctx context.Context) error {
	from := 0
	if r.state.Next != "" {
		from = max(0, slices.IndexFunc(r.plan.steps, func(s planStep) bool { return s.name == r.state.Next }))
	}
	for i, step := range r.plan.steps {
		if i < from && step.name != stepLook {
			continue
		}
		if step.name != stepLook && r.opts.LookOnly {
			break
		}
		if i == from && step.name != stepLook && r.resumed != "" && r.state.Copied && r.plan.Way == WayElsewhere { // the step that takes them may be behind it
			if err := r.holdPlaces(); err != nil {
				return fmt.Errorf("restore %s: %w", r.plan.Set.SetName(), err)
			}
		}
		began := time.Now()
		if err := r.take(ctx, step); err != nil {
			return r.failed(ctx, step, err)
		}
		r.report.Steps = append(r.report.Steps, DoneStep{step.name, began, time.Now()})
		r.looked = true
		if step.name == stepLook && r.opts.Confirm != nil && !r.opts.LookOnly {
			if err := r.opts.Confirm(r.plan, r.plan.steps[max(1, from)].name); err != nil {
				return err
			}
		}
	}
	r.report.Clean = !r.opts.LookOnly
	if r.opts.LookOnly {
		return nil
	}
	r.finishDone()
	r.removeCovered()
	return nil
}

// take records a step and takes it. The step "look" changes nothing, and leaves
// nothing behind.
func (r *restoration) take(ctx context.Context, step planStep) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.opts.Step(step.name, english("step."+step.name))
	if step.name != stepLook {
		if err := r.lockNewWork(); err != nil {
			return err
		}
		if step.name == stepCopy {
			if err := r.takeOver(); err != nil {
				return err
			}
		}
		r.state.Step, r.state.Next = step.name, step.again
		r.state.Applied = r.state.Applied || step.name == stepApply
		r.state.Half = (r.state.Half || step.name == stepCopy) && !r.done(stepRelease)
		if err := r.save(); err != nil {
			return err
		}
		r.link()
	}
	for _, a := range step.acts {
		if err := a.run(ctx, r); err != nil {
			return err
		}
	}
	r.state.Done = append(r.state.Done, step.name)
	if step.name == stepLook {
		r.there = r.plan.Existing()
	}
	return nil
}

// failed says what the failure of a step means.
func (r *restoration) failed(ctx context.Context, step planStep, err error) error {
	if damage, ok := errors.AsType[*DamageError](err); ok {
		r.report.Damage = damage.Findings
	}
	r.report.Failed = err.Error()
	e := &StepError{Set: r.plan.Set.SetName().String(), Step: step.name, State: english("state." + step.name), Again: step.again, Work: r.plan.Work, Command: r.command(), Err: err}
	if step.name == stepLook {
		e.Work = ""
		if r.state.Step != "" {
			e.State = english("state." + r.state.Step)
		}
		return e
	}
	if r.state.Step == "" { // it ended before the first one: nothing was begun
		e.Work, e.Command = "", ""
		return e
	}
	if r.state.Step != step.name { // interrupted between two steps
		e.State, e.Again = english("state."+r.state.Step), r.state.Next
	}
	if r.checkWork() != nil { // which is then what failed: nothing is written there
		e.Work = ""
		return e
	}
	if r.intruded {
		e.State, e.Again = english("started"), r.state.Next
	}
	if !r.opts.Drill {
		return errors.Join(e, r.save(), r.keepTranscript())
	}
	e.Again = "" // whatever is left: a drill begins anew
	if left := r.abandon(ctx); left != nil {
		return errors.Join(e, left, r.save(), r.keepTranscript())
	}
	e.State, e.Work = english("drilled"), ""
	return e
}

// done returns whether a step was taken in this run or in one before it.
func (r *restoration) done(step string) bool { return slices.Contains(r.state.Done, step) }

// session runs a session of the instance and keeps its transcript.
func (r *restoration) session(ctx context.Context, t session.Task) (*session.Answer, error) {
	return r.sessionOf(ctx, r.instance, t)
}

func (r *restoration) sessionOf(ctx context.Context, in *session.Instance, t session.Task) (*session.Answer, error) {
	a, err := in.Run(ctx, t)
	r.transcribe(a.Transcript(err))
	return a, err
}

// transcribe keeps a text in the transcript.
func (r *restoration) transcribe(text string) {
	if r.transcript.Len() < maxTranscript {
		r.transcript.WriteString(text)
	}
}

// maxTranscript bounds the transcript, in bytes; one text more may be beyond it.
const maxTranscript = 2 << 20
