package gtm

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"datfs/catalog"
	"datfs/dbback"
)

// killEnv tells TestKilledBackup, in a process of its own, where to kill itself:
// "STEP" when the step begins, "+STEP" while the engine is at it.
const killEnv = "DATFS_TEST_GTM_KILL"

// TestKilledBackup is the process that TestKill kills.
func TestKilledBackup(t *testing.T) {
	args := strings.Split(os.Getenv(killEnv), "|")
	if len(args) != 3 {
		return
	}
	repo, err := catalog.Open(args[1], catalog.Shared)
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Options{Gbldir: args[2]})
	if err != nil {
		t.Fatal(err)
	}
	die := func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }
	opts := dbback.BackupOptions{Instance: "GTM", IOLimit: 40 << 20, Progress: &catalog.Progress{}}
	opts.Step = func(step, _ string) {
		if step == args[0] {
			die()
		}
		if "+"+step != args[0] {
			return
		}
		go func() {
			for { // until the step has made something
				made, _ := filepath.Glob(filepath.Join(filepath.Dir(args[2]), "datfs-*", "*.bck*"))
				if step == dbback.StepCopy && opts.Progress.Done() > 0 || step == dbback.StepIncremental && len(made) > 0 {
					die()
				}
				time.Sleep(time.Millisecond)
			}
		}()
	}
	info, err := dbback.Backup(t.Context(), repo, e, opts)
	t.Fatalf("not killed: %+v, %v", info, err)
}

// TestKill kills backups at every step and in the middle of the long ones. The
// database goes on, the next backup succeeds and tidies up, and can be restored.
func TestKill(t *testing.T) {
	// Of format V6, as its header is 256 KiB and not 4 MiB, for each of many backups.
	l := newLive(t, shape{regions: 2, allocation: 400, create: "-v6"})
	l.load(2)
	l.start("writer", 1, 2)
	l.start("across", 2, 2)
	l.moved("AREG", 20)
	repo := newRepo(t)
	for _, where := range []string{
		dbback.StepPrepare, dbback.StepMark, dbback.StepCopy, "+" + dbback.StepCopy, dbback.StepList, dbback.StepRecord,
		dbback.StepEstimate, dbback.StepIncremental, "+" + dbback.StepIncremental, dbback.StepJournals, dbback.StepSeal,
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledBackup$")
		cmd.Env = append(os.Environ(), killEnv+"="+where+"|"+repo.Dir()+"|"+l.tools.gbldir)
		out, _ := cmd.CombinedOutput()
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
			t.Fatalf("%s: %v\n%s", where, cmd.ProcessState, out)
		}
		l.moved("AREG", 5)
		// Of steps that change the same as the one before them the next killed backup
		// shows that another can be taken, as far as its own kill.
		if slices.Contains([]string{dbback.StepList, dbback.StepRecord, dbback.StepEstimate}, where) && os.Getenv("DATFS_LONG") == "" {
			continue
		}
		l.backupAfterKill(repo, where)
	}
	info := l.backup(repo)
	l.stop()
	report, err := Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: t.TempDir(), Journals: []string{l.dir}})
	if err != nil {
		t.Fatal(err)
	}
	l.check(report.Gbldir)
	if got, want := l.extract(report.Gbldir), l.extract(l.tools.gbldir); got != want {
		t.Error("what was restored is not what the original has")
	}
}

// backupAfterKill takes the backup after one that was killed. A mupip of that one
// may still be at work; until it ends there is no other.
func (l *live) backupAfterKill(repo *catalog.Repository, where string) {
	l.t.Helper()
	e, err := New(Options{Gbldir: l.tools.gbldir})
	if err != nil {
		l.t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		info, err := dbback.Backup(l.t.Context(), repo, e, dbback.BackupOptions{Instance: "GTM"})
		if errors.Is(err, catalog.ErrLocked) && time.Now().Before(deadline) {
			continue
		}
		if err != nil || info.State != catalog.StateComplete {
			l.t.Fatalf("after a kill at %s: %+v, %v", where, info, err)
		}
		break
	}
	if left := l.files("datfs-*"); len(left) > 0 {
		l.t.Errorf("after a kill at %s and another backup there is %v", where, left)
	}
}
