package gtm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback"
)

// begin begins a run of the method by hand. It ends with the test.
func (l *live) begin() *Engine {
	l.t.Helper()
	e, err := New(Options{Gbldir: l.tools.gbldir, Work: l.t.TempDir()})
	if err != nil {
		l.t.Fatal(err)
	}
	run := &dbback.Run{Set: catalog.SetName{Instance: "GTM", Name: "x"}, Transcript: func(string, string) {}}
	if err := e.Begin(l.t.Context(), run); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := e.End(context.Background(), false); err != nil {
			l.t.Error(err)
		}
	})
	if _, err := e.List(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	return e
}

// buffered makes a database whose changes stay in memory until a command writes
// them: a process has it open, and its timer for that is an hour.
func buffered(t *testing.T, s shape) *live {
	t.Helper()
	l := newLive(t, s)
	l.m(`set ^a="old",^b="old"`)
	l.mupip("set", "-flush_time=01:00:00:00", "-region", "DEFAULT")
	l.start("hold", 0, 0)
	for deadline := time.Now().Add(patience); l.m("write $get(^held)") != "1"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the process that holds the database open does not come up")
		}
	}
	return l
}

// onDisk returns whether the file of region DEFAULT has a string.
func (l *live) onDisk(s string) bool {
	l.t.Helper()
	b, err := os.ReadFile(filepath.Join(l.dir, "t.dat"))
	if err != nil {
		l.t.Fatal(err)
	}
	return bytes.Contains(b, []byte(s))
}

// TestMark_Writes holds that when the mark is there all changes before it are in
// the file, however the database is journaled.
func TestMark_Writes(t *testing.T) {
	for _, journal := range []string{"before", "nobefore"} {
		t.Run(journal, func(t *testing.T) {
			l := buffered(t, shape{journal: journal, allocation: 100})
			e := l.begin()
			l.m(`set ^a="a change before the mark"`)
			if l.onDisk("a change before the mark") {
				t.Fatal("the engine writes at once: this shows nothing")
			}
			before := l.tn("DEFAULT")
			if err := e.Mark(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !l.onDisk("a change before the mark") {
				t.Error("it is not in the file")
			}
			if mark := e.marks["DEFAULT"]; mark < before || mark > l.tn("DEFAULT") {
				t.Errorf("mark %#x, the change was before %#x", mark, before)
			}
			l.stop()
		})
	}
}

// TestMark_WrongOrder writes the buffers first and reads the number afterwards: what
// is changed between the two is in neither the copy nor the incremental.
func TestMark_WrongOrder(t *testing.T) {
	for name, change := range map[string]string{"as it should be": "", "a change between the two": "a change between"} {
		t.Run(name, func(t *testing.T) {
			l := buffered(t, shape{allocation: 100})
			if out, err := l.tools.run(t.Context(), patience, "buffer_flush\nquit\n", "dse"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if change != "" {
				l.m(fmt.Sprintf("set ^a=%q", change))
			}
			mark := l.tn("DEFAULT")
			d := &restoredDB{}
			d.Target, d.StartTN = filepath.Join(t.TempDir(), "t.dat"), mark
			copyFile(t, filepath.Join(l.dir, "t.dat"), d.Target)
			l.m(`set ^b="new"`)
			inc := l.incrementalFrom(mark)
			if err := editHeader(d.Target, func(b []byte, _ *Header) { clearIDs(b) }); err != nil {
				t.Fatal(err)
			}
			if err := prepare(d); err != nil {
				t.Fatal(err)
			}
			l.mupip("restore", d.Target, inc)
			l.stop()
			b, err := os.ReadFile(d.Target)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(b, []byte("new")) {
				t.Error("what was changed after the number was read is lost")
			}
			if change != "" && bytes.Contains(b, []byte(change)) {
				t.Error("what was changed between the two is there: the order does not matter?")
			}
		})
	}
}

// TestBegin_Lock holds that of two backups of one global directory one is refused.
func TestBegin_Lock(t *testing.T) {
	l := newLive(t, shape{allocation: 100})
	l.begin()
	other, err := New(Options{Gbldir: l.tools.gbldir, Work: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = dbback.Backup(t.Context(), newRepo(t), other, dbback.BackupOptions{Instance: "GTM"})
	if !errors.Is(err, catalog.ErrLocked) {
		t.Errorf("%v", err)
	}
}

// TestJournalGap switches journaling off for a moment between the incremental and
// the capture of the journals: what was written then is in none of them.
func TestJournalGap(t *testing.T) {
	l := newLive(t, shape{allocation: 200})
	l.m("set ^a=1")
	repo := newRepo(t)
	e, err := New(Options{Gbldir: l.tools.gbldir})
	if err != nil {
		t.Fatal(err)
	}
	info, err := dbback.Backup(t.Context(), repo, e, dbback.BackupOptions{Instance: "GTM", Step: func(step, _ string) {
		if step == dbback.StepJournals {
			l.mupip("set", "-journal=off", "-region", "DEFAULT")
			l.m("set ^a=2")
			l.mupip("set", "-journal=on,before", "-region", "DEFAULT")
			l.m("set ^a=3")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Problems) != 1 || !strings.Contains(info.Problems[0].Error, "the journal since the incremental is not in the set") {
		t.Errorf("the set says %v", info.Problems)
	}
	restore := func(journals ...string) (*RestoreReport, error) {
		return Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: t.TempDir(), Journals: journals})
	}
	if _, err := restore(l.dir); err == nil {
		t.Error("journals with a hole were applied")
	} else if _, ok := errors.AsType[*JournalGapError](err); !ok {
		t.Errorf("%v", err)
	}
	report, err := restore()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := (&tools{dist: l.tools.dist, gbldir: report.Gbldir}).m(t.Context(), "write ^a"); err != nil || strings.TrimSpace(out) != "1" {
		t.Errorf("^a is %q, %v", out, err)
	}
}

// TestJournalOff switches journaling off during a backup: that is a warning of the
// set, other than of a region that was not journaled before.
func TestJournalOff(t *testing.T) {
	l := newLive(t, shape{regions: 2, allocation: 200})
	l.m("set ^a=1,^A=1")
	l.mupip("set", "-journal=disable", "-region", "AREG")
	e, err := New(Options{Gbldir: l.tools.gbldir})
	if err != nil {
		t.Fatal(err)
	}
	info, err := dbback.Backup(t.Context(), newRepo(t), e, dbback.BackupOptions{Instance: "GTM", Step: func(step, _ string) {
		if step == dbback.StepJournals {
			l.mupip("set", "-journal=off", "-region", "DEFAULT")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Problems) != 1 || !strings.Contains(info.Problems[0].Error, "journaling of region DEFAULT was turned off") {
		t.Errorf("the set says %v", info.Problems)
	}
}

// TestJournalsElsewhere restores from journals under names that mean nothing, when
// nothing of the original is there any more, neither files nor links.
func TestJournalsElsewhere(t *testing.T) {
	l := newLive(t, shape{regions: 2, allocation: 200})
	l.m("set ^A=1,^b=1")
	repo := newRepo(t)
	info := l.backup(repo)
	for i := range 3 {
		l.m(fmt.Sprintf("tstart ():transactionid=\"BA\" set ^A=^A+1,^b=^b+1,^b(%d)=1 tcommit", i))
		l.mupip("set", "-journal=on,before", "-region", "AREG,DEFAULT")
	}
	want := l.extract(l.tools.gbldir)
	elsewhere := t.TempDir()
	for i, name := range l.files("*.mjl*") {
		copyFile(t, name, filepath.Join(elsewhere, fmt.Sprintf("%d saved", 1000-i)))
	}
	if err := os.Rename(l.dir, l.dir+".gone"); err != nil {
		t.Fatal(err)
	}
	report, err := Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: t.TempDir(), Journals: []string{elsewhere}})
	if rerr := os.Rename(l.dir+".gone", l.dir); err != nil || rerr != nil {
		t.Fatal(err, rerr)
	}
	if len(report.Warnings) > 0 {
		t.Errorf("%v", report.Warnings)
	}
	if got := l.extract(report.Gbldir); got != want {
		t.Error("what was restored is not what the original had")
	}
}

// TestManyRegions backs up so many regions that the paths of their incrementals are
// longer than what MUPIP takes.
func TestManyRegions(t *testing.T) {
	const many = 25
	l := newLive(t, shape{many: many, allocation: 100})
	fill := fmt.Sprintf(`set ^b=1 for i=1:1:%d set @("^R"_i_"x")=i`, many)
	l.m(fill)
	work := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{Gbldir: l.tools.gbldir, Work: work})
	if err != nil {
		t.Fatal(err)
	}
	repo := newRepo(t)
	list := 0
	info, err := dbback.Backup(t.Context(), repo, e, dbback.BackupOptions{Instance: "GTM", Step: func(step, _ string) {
		if step == dbback.StepIncremental {
			list = len(quoteAll(e.incrementalPaths()))
			l.m(fill) // or the markers do for the incrementals
		}
	}})
	if err != nil || info.State != catalog.StateComplete || len(info.Method.Incrementals) != many+1 {
		t.Fatalf("%+v, %v", info, err)
	}
	if list <= maxList {
		t.Errorf("the list is of %d bytes only: this shows nothing", list)
	}
	report, err := Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := l.extract(report.Gbldir), l.extract(l.tools.gbldir); got != want {
		t.Error("what was restored is not what the original has")
	}
}
