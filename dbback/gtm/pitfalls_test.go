package gtm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback"
)

// dirtyCopy copies the file of region DEFAULT piece by piece, and waits after each
// until the writers have gone on: the copy is of many moments.
func (l *live) dirtyCopy(to string) {
	l.t.Helper()
	from, err := os.Open(filepath.Join(l.dir, "t.dat"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer from.Close()
	out, err := os.Create(to)
	if err != nil {
		l.t.Fatal(err)
	}
	defer out.Close()
	for {
		_, err := io.CopyN(out, from, 2<<20)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			l.t.Fatal(err)
		}
		l.moved("DEFAULT", 100)
	}
}

// incrementalFrom takes an incremental of region DEFAULT of what changed since a
// transaction.
func (l *live) incrementalFrom(tn uint64) string {
	l.t.Helper()
	path := filepath.Join(l.t.TempDir(), "inc.bck")
	l.mupip("backup", "-bytestream", fmt.Sprintf("-transaction=%X", tn), "-nonewjnlfiles", "-bkupdbjnl=disable", "DEFAULT", path)
	return path
}

// TestNegativeControls does what the method forbids and sees it go wrong: if it
// did not, the tests that see the method go right would show nothing.
func TestNegativeControls(t *testing.T) {
	l := newLive(t, shape{})
	l.load(12)
	l.start("writer", 1, 1)
	l.start("writer", 2, 1)
	l.moved("DEFAULT", 200)
	e := l.begin()
	if err := e.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	mark := e.marks["DEFAULT"]
	dirty := filepath.Join(t.TempDir(), "dirty.dat")
	l.dirtyCopy(dirty)
	late := l.tn("DEFAULT")
	// A header that was written during the mark: later than the mark.
	if err := editHeader(dirty, func(b []byte, h *Header) { setTN(b, h.Format, mark+3) }); err != nil {
		t.Fatal(err)
	}
	good, bad := l.incrementalFrom(mark), l.incrementalFrom(late)

	// try restores a copy of the dirty copy and says whether it is sound.
	try := func(t *testing.T, tn uint64, incremental string) (out string, ok bool) {
		t.Helper()
		t.Helper()
		d := &restoredDB{}
		d.Target, d.StartTN = filepath.Join(t.TempDir(), "t.dat"), tn
		copyFile(t, dirty, d.Target)
		l.mupip("rundown", "-file", d.Target)
		if incremental != "" {
			if err := prepare(d); err != nil {
				t.Fatal(err)
			}
			if out, err := l.tools.mupip(t.Context(), patience, "restore", d.Target, incremental); err != nil {
				return out, false
			}
		}
		return l.integ(d.Target)
	}
	t.Run("as it should be", func(t *testing.T) {
		if out, ok := try(t, mark, good); !ok {
			t.Error(out)
		}
	})
	t.Run("the copy alone", func(t *testing.T) {
		if _, ok := try(t, 0, ""); ok {
			t.Error("the copy is sound: nothing was written while it was taken")
		}
	})
	t.Run("the mark after the copy", func(t *testing.T) {
		if _, ok := try(t, late, bad); ok {
			t.Error("it is sound")
		}
	})
	t.Run("another transaction number", func(t *testing.T) {
		if out, ok := try(t, mark-1, good); ok || !strings.Contains(out, "does not align") {
			t.Error(out)
		}
	})
	t.Run("an incremental that is cut off", func(t *testing.T) {
		b, err := os.ReadFile(good)
		if err != nil {
			t.Fatal(err)
		}
		cut := filepath.Join(t.TempDir(), "cut.bck")
		if err := os.WriteFile(cut, b[:len(b)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		if inc, err := openIncremental(cut); err == nil || inc != nil {
			t.Error("it is accepted")
		}
	})
	t.Run("a copy that ends before its header says", func(t *testing.T) {
		// The file as it was before it grew, with the header of later.
		h, err := readHeaderFile(dirty)
		if err != nil {
			t.Fatal(err)
		}
		d := &restoredDB{}
		d.Target, d.StartTN = filepath.Join(t.TempDir(), "t.dat"), mark
		copyFile(t, dirty, d.Target)
		if err := os.Truncate(d.Target, h.FileSize()-200*h.BlockSize); err != nil {
			t.Fatal(err)
		}
		l.mupip("rundown", "-file", d.Target)
		if err := prepare(d); err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(d.Target); err != nil || st.Size() != h.FileSize() {
			t.Errorf("%v, %v; want %d bytes", st.Size(), err, h.FileSize())
		}
	})
	l.stop()
}

// TestUntreatedCopy shows why no command may see a copy before its header is
// treated: it takes the running engine's semaphore away. And that Restore does not.
func TestUntreatedCopy(t *testing.T) {
	l := newLive(t, shape{allocation: 300})
	l.load(1)
	l.start("writer", 1, 5)
	l.moved("DEFAULT", 50)
	usable := func() error {
		_, err := l.tools.m(t.Context(), "set ^usable=$horolog")
		return err
	}
	raw := filepath.Join(t.TempDir(), "t.dat")
	copyFile(t, filepath.Join(l.dir, "t.dat"), raw)
	if h, err := readHeaderFile(raw); err != nil || !h.InUse() {
		t.Fatalf("the copy does not name the engine's semaphore: %+v, %v", h, err)
	}
	if err := editHeader(raw, func(b []byte, _ *Header) { clearIDs(b) }); err != nil {
		t.Fatal(err)
	}
	l.mupip("rundown", "-file", raw)
	if err := usable(); err != nil {
		t.Errorf("after a copy that was treated: %v", err)
	}
	copyFile(t, filepath.Join(l.dir, "t.dat"), raw)
	l.integ(raw)
	if err := usable(); err == nil {
		t.Error("an untreated copy did no harm: is the treatment of any use?")
	}
	// The way back, which needs the journal. It also takes away what is left in
	// shared memory.
	for _, p := range l.procs {
		_ = p.Process.Kill()
		_ = p.Wait()
	}
	l.procs = nil
	l.mupip("journal", "-recover", "-backward", filepath.Join(l.dir, "t.mjl"))
	if err := usable(); err != nil {
		t.Errorf("after its recovery: %v", err)
	}
}

// TestQuiet backs up regions that nobody writes to: one that never was written to,
// and one that is at rest. MUPIP makes no incremental of either.
func TestQuiet(t *testing.T) {
	l := newLive(t, shape{regions: 2, allocation: 300})
	l.load(1) // only into DEFAULT
	repo := newRepo(t)
	for _, write := range []string{"", "set ^A=1", "set ^A=2,^b=2"} {
		if write != "" {
			l.m(write)
		}
		info := l.backup(repo)
		l.consistentAsMade(repo, info)
		l.m("set ^after=$get(^after)+1")
		for _, consistent := range []bool{false, true} {
			report, err := Restore(t.Context(), repo, RestoreOptions{
				Set: info.SetName(), To: t.TempDir(), Journals: []string{l.dir}, Consistent: consistent,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := l.extract(report.Gbldir), l.extract(l.tools.gbldir); got != want {
				t.Errorf("after %q: what was restored is not what the original has", write)
			}
			for _, d := range report.Databases {
				if h, err := readHeaderFile(d.Target); err != nil || h.Journal != JournalDisabled {
					t.Errorf("region %s: %+v, %v", d.Region, h, err)
				}
			}
		}
	}
}

// consistentAsMade holds that the set has every database as it was after the
// incremental, and that a plain copy of each is sound and takes a write.
func (l *live) consistentAsMade(repo *catalog.Repository, info *catalog.SetInfo) {
	l.t.Helper()
	to := l.t.TempDir()
	if _, err := dbback.Restore(l.t.Context(), repo, dbback.RestoreOptions{Set: info.SetName(), To: to, Section: catalog.SectionConsistent}); err != nil {
		l.t.Fatal(err)
	}
	gbldir := filepath.Join(to, "t.gld")
	copyFile(l.t, l.tools.gbldir, gbldir)
	copied := tools{dist: l.tools.dist, gbldir: gbldir}
	var changes []string
	for segment, name := range map[string]string{"ASEG": "a.dat", "DEFAULT": "t.dat"} {
		file := filepath.Join(to, l.dir, name)
		if out, ok := l.integ(file); !ok {
			l.t.Error(out)
		}
		if h, err := readHeaderFile(file); err != nil || h.Journal != JournalDisabled || h.InUse() {
			l.t.Errorf("%s: %+v, %v", name, h, err)
		}
		changes = append(changes, "change -segment "+segment+" -file="+file)
	}
	if out, err := copied.gde(l.t.Context(), append(changes, "exit")...); err != nil {
		l.t.Fatalf("%v\n%s", err, out)
	}
	if got, want := l.extract(gbldir), l.extract(l.tools.gbldir); got != want {
		l.t.Error("what is consistent is not what the original has")
	}
	if out, err := copied.m(l.t.Context(), "set ^Anew=1,^bnew=1"); err != nil {
		l.t.Errorf("%v\n%s", err, out)
	}
}

// TestForeign lets somebody else take an incremental backup between mark and
// incremental. In the second case MUPIP says that nothing changed, which is true
// only since that backup.
func TestForeign(t *testing.T) {
	for name, after := range map[string]string{"written to afterwards": "set ^b=2", "not written to afterwards": ""} {
		t.Run(name, func(t *testing.T) {
			l := newLive(t, shape{allocation: 100})
			l.m("set ^a=1")
			e, err := New(Options{Gbldir: l.tools.gbldir})
			if err != nil {
				t.Fatal(err)
			}
			_, err = dbback.Backup(t.Context(), newRepo(t), e, dbback.BackupOptions{Instance: "GTM", Step: func(step, _ string) {
				if step != dbback.StepList {
					return
				}
				l.m("set ^b=1")
				l.mupip("backup", "-bytestream", "-since=bytestream", "-nonewjnlfiles", "DEFAULT", filepath.Join(t.TempDir(), "foreign.bck"))
				if after != "" {
					l.m(after)
				}
			}})
			if _, ok := errors.AsType[*ForeignError](err); !ok {
				t.Errorf("%v", err)
			}
			if left := l.files("datfs-*"); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// TestUntil restores to a point in time.
func TestUntil(t *testing.T) {
	l := newLive(t, shape{allocation: 300})
	l.load(1)
	repo := newRepo(t)
	info := l.backup(repo)
	l.m("set ^when=1")
	// Times in journals are whole seconds.
	next := func() {
		l.t.Helper()
		for now := time.Now().Unix(); time.Now().Unix() == now; {
			time.Sleep(50 * time.Millisecond)
		}
	}
	next()
	until := time.Now()
	next()
	l.m("set ^when=2")
	l.mupip("set", "-journal=on,before", "-region", "DEFAULT")
	report, err := Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: t.TempDir(), Until: until, Journals: []string{l.dir}})
	if err != nil {
		t.Fatal(err)
	}
	tools := tools{dist: l.tools.dist, gbldir: report.Gbldir}
	if out, err := tools.m(t.Context(), "write ^when"); err != nil || strings.TrimSpace(out) != "1" {
		t.Errorf("^when is %q, %v", out, err)
	}
	// Journaling of the original does not go on in the restored database.
	h, err := readHeaderFile(report.Databases[0].Target)
	if err != nil || h.Journal != JournalDisabled {
		t.Errorf("%+v, %v", h, err)
	}
	if _, err := tools.m(t.Context(), "set ^when=3"); err != nil {
		t.Errorf("a first write: %v", err)
	}
}

// TestBlanks has blanks in all paths, which MUPIP takes only in quotes and, of
// journals, not at all.
func TestBlanks(t *testing.T) {
	l := newLive(t, shape{dir: "my (live) data", allocation: 100})
	l.m("set ^a=1")
	repo := newRepo(t)
	info := l.backup(repo)
	l.m("set ^a=2")
	for _, consistent := range []bool{false, true} {
		report, err := Restore(t.Context(), repo, RestoreOptions{
			Set: info.SetName(), To: filepath.Join(t.TempDir(), "the restored"), Journals: []string{l.dir}, Consistent: consistent,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := l.extract(report.Gbldir), l.extract(l.tools.gbldir); got != want {
			t.Error("what was restored is not what the original has")
		}
	}
}

// TestOtherUser backs up what a process of another user writes to: it must be able
// to save before-images where the backup is made.
func TestOtherUser(t *testing.T) {
	l := newLive(t, shape{allocation: 300})
	l.load(1)
	e, err := New(Options{Gbldir: l.tools.gbldir})
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Umask(syscall.Umask(0o077))
	opts := dbback.BackupOptions{Instance: "GTM", Log: t.Logf, Step: func(step, _ string) {
		if step != dbback.StepMark {
			return
		}
		dirs := l.files("datfs-*")
		if st, err := os.Stat(dirs[0]); len(dirs) != 1 || err != nil || st.Mode().Perm() != 0o711 {
			t.Errorf("%v has the mode %v, %v", dirs, st.Mode(), err)
		}
	}}
	if os.Geteuid() == 0 {
		l.giveAway()
		l.start("writer", 1, 1)
		l.moved("DEFAULT", 20)
	}
	info, err := dbback.Backup(t.Context(), newRepo(t), e, opts)
	if err != nil || info.State != catalog.StateComplete {
		t.Errorf("%+v, %v", info, err)
	}
	if os.Geteuid() == 0 {
		l.moved("DEFAULT", 20) // its journals are still those of that user
		l.stop()
	}
}
