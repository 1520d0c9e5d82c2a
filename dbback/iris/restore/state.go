package restore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"datfs/dbback/iris/session"
)

// A state is what a restore keeps in its work directory, so that it can be
// gone on with.
type state struct {
	session.Unfinished // what other runs read of it; another Key is not gone on with

	Next      string      `json:"next"`      // the step to begin with; "": from the start, another restore has written its databases
	Done      []string    `json:"done"`      // in this run and those before it
	Copied    bool        `json:"copied"`    // elsewhere: what lies in the places is a restore's, which has begun to write there
	Applied   bool        `json:"applied"`   // the incremental was begun to be applied since the copy
	Aside     [][2]string `json:"aside"`     // write image journals: where each was, and where it was moved to
	Started   bool        `json:"started"`   // it has begun to start the instance
	Emergency [2]string   `json:"emergency"` // user and password of the start without recovery
	ByHand    [2]string   `json:"by_hand"`   // the same, of a start that a person has to finish: for that person

	Report *Report `json:"report,omitempty"` // as far as it came
	// Of the steps but "look", which each run takes and judges anew.
	Warnings []string `json:"warnings,omitempty"`
	Notes    []string `json:"notes,omitempty"`
}

func (r *restoration) stateFile() string { return filepath.Join(r.plan.Work, session.StateName) }

// key tells this restore from others that have the same work directory, through another
// instance too.
func (r *restoration) key() string {
	p := r.plan
	return shortSum(fmt.Sprint(p.Set.SetName(), p.Way, p.dirs(), p.opts.Until, p.opts.NoJournals, p.opts.Define, p.opts.Drill, p.Instance))
}

// load reads the state of a run before this one.
func (r *restoration) load() error {
	key := r.key()
	r.state = state{Unfinished: session.Unfinished{Key: key}}
	s, ok, err := r.readState()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Torn, of another restore, not wanted, or overwritten by another one: as good as none.
	if !ok || s.Key != key || r.opts.Anew || s.Next == "" {
		r.state.Applied = s.Applied || !ok // but the databases may be mounted all the same
		r.state.Copied, r.state.Aside = ok && s.Copied && s.Key == key, s.Aside
		// What was written stays written, also if it was restored whole: the WIJ that is
		// aside does not belong to it.
		r.state.Half = s.Half || slices.Contains(s.Done, stepCopy) || s.Copied && r.plan.Way == WayEverything
		return nil
	}
	r.state, r.resumed = s, s.Next
	if err := r.takeUp(); err != nil {
		return err
	}
	if err := r.checkStarted(); err != nil {
		return err
	}
	r.opts.Log("a run before this one ended in the step %s at %s: going on with the step %s", s.Step, stamp(s.Time), r.state.Next)
	return nil
}

// readState reads the state in the work directory. It is not ok if it is torn.
func (r *restoration) readState() (s state, ok bool, err error) {
	work, err := findOwned(r.plan.Work, r.plan.opts.owner)
	if err != nil {
		return s, false, err
	}
	ok, err = session.ReadState(work.at(session.StateName), &s, &s.Unfinished)
	s.Next = session.Printable(s.Next)
	return s, ok, errors.Join(work.said(err), work.close())
}

// takeUp makes what the runs before this one did part of its report and of its
// transcript: what is kept in the set is of the restore as a whole.
func (r *restoration) takeUp() error {
	if old := r.state.Report; old != nil {
		now := r.report
		now.Began, now.Steps, now.Bytes, now.WrittenBytes = old.Began, old.Steps, old.Bytes, old.WrittenBytes
		now.LastJournal, now.Reached = old.LastJournal, old.Reached
		now.Warnings = slices.Concat(r.state.Warnings, now.Warnings)
		now.Notes = slices.Concat(r.state.Notes, now.Notes)
	}
	work, err := findOwned(r.plan.Work, r.plan.opts.owner)
	if err != nil {
		return err
	}
	text, err := session.ReadAlone(work.at(transcriptName), maxTranscript)
	err = errors.Join(work.said(err), work.close())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	said := r.transcript.String() // in this run
	r.transcript.Reset()
	r.transcribe(string(text))
	r.transcribe(said)
	return nil
}

// written returns whether the restore has begun to write the databases' files, in this
// run or one before it; or another one that was begun over it. The step to go on with does
// not say that: it can be one before the copy again.
func (r *restoration) written() bool { return r.state.Half || r.state.Copied || r.done(stepCopy) }

// save keeps the state, durably.
func (r *restoration) save() error {
	r.state.Time, r.state.Report = time.Now(), r.report
	r.state.Set, r.state.Dirs, r.state.Command = r.plan.Set.SetName().String(), r.plan.dirs(), r.command()
	r.state.Drill = r.opts.Drill
	if r.state.Begun.IsZero() {
		r.state.Begun = r.state.Time
	}
	b, err := json.MarshalIndent(r.state, "", "  ")
	if err != nil {
		return err
	}
	if err := r.keepFile(session.StateName, append(b, '\n')); err != nil {
		return err
	}
	return r.syncDirs()
}

// keepFile keeps a file in the work directory, which is the owner's: whose backups
// are to see the state, and who may be the one to go on.
func (r *restoration) keepFile(name string, content []byte) error {
	work, err := r.openOwned(r.plan.Work)
	if err != nil {
		return err
	}
	return errors.Join(work.replace(name, content), work.close())
}

// removeMade removes the directories that a drill made for the databases, those that are
// empty again, and only those that it holds: in others another drill may be at work.
func (r *restoration) removeMade() {
	top := r.plan.opts.To
	for _, h := range r.holding {
		for dir := h.path; top != "" && strings.HasPrefix(dir, session.Slashed(top)); dir = filepath.Dir(dir) {
			if os.Remove(dir) != nil {
				break
			}
		}
	}
}

// note keeps what is worth knowing of the restore, and tells of it.
func (r *restoration) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	keep(&r.report.Notes, r.opts.Log, text)
	if r.looked {
		keep(&r.state.Notes, nil, text)
	}
}

// warn keeps what is not as it should be.
func (r *restoration) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	keep(&r.report.Warnings, r.opts.Log, text)
	if r.looked {
		keep(&r.state.Warnings, nil, text)
	}
}

func keep(list *[]string, log func(string, ...any), text string) {
	if !slices.Contains(*list, text) {
		*list = append(*list, text)
		if log != nil {
			log("%s", text)
		}
	}
}
