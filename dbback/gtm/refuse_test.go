package gtm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

// TestRestoreRefuses names what a restore does not do.
func TestRestoreRefuses(t *testing.T) {
	l := newLive(t, shape{regions: 2, allocation: 400})
	l.load(1)
	l.start("across", 1, 1)
	l.moved("AREG", 50)
	repo := newRepo(t)
	info := l.backup(repo)
	l.moved("AREG", 50)
	l.mupip("set", "-journal=on,before", "-region", "DEFAULT,AREG")
	l.moved("AREG", 50)
	l.stop()
	restore := func(t *testing.T, change func(*RestoreOptions)) (*RestoreReport, error) {
		t.Helper()
		opts := RestoreOptions{Set: info.SetName(), To: t.TempDir(), Log: t.Logf}
		change(&opts)
		return Restore(t.Context(), repo, opts)
	}
	t.Run("over a database", func(t *testing.T) {
		before, err := os.ReadFile(filepath.Join(l.dir, "t.dat"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = restore(t, func(o *RestoreOptions) { o.To = "/" })
		if !errors.Is(err, ErrTargetExists) {
			t.Errorf("%v", err)
		}
		if after, err := os.ReadFile(filepath.Join(l.dir, "t.dat")); err != nil || string(after) != string(before) {
			t.Errorf("it was written to: %v", err)
		}
	})
	t.Run("without a journal in the middle", func(t *testing.T) {
		dir := t.TempDir() // only the newest journal
		copyFile(t, filepath.Join(l.dir, "t.mjl"), filepath.Join(dir, "t.mjl"))
		_, err := restore(t, func(o *RestoreOptions) { o.Journals = []string{dir} })
		if e, ok := errors.AsType[*JournalGapError](err); !ok || e.Region != "DEFAULT" {
			t.Errorf("%v", err)
		}
	})
	t.Run("to a time before the set", func(t *testing.T) {
		to := t.TempDir()
		_, err := restore(t, func(o *RestoreOptions) { o.To, o.Until = to, info.Time.Add(-time.Hour) })
		if !errors.Is(err, ErrTooEarly) {
			t.Errorf("%v", err)
		}
		if left, err := os.ReadDir(to); err != nil || len(left) > 0 {
			t.Errorf("it began: %v, %v", left, err)
		}
	})
	t.Run("to a time after the journals without a word", func(t *testing.T) {
		until := info.Time.Add(time.Hour)
		report, err := restore(t, func(o *RestoreOptions) { o.Until = until })
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Warnings) != 2 || !strings.Contains(report.Warnings[0], "the journals end at") || !report.Until.IsZero() {
			t.Errorf("%+v", report)
		}
	})
	t.Run("to a path that MUPIP cannot have", func(t *testing.T) {
		if _, err := restore(t, func(o *RestoreOptions) { o.To = filepath.Join(t.TempDir(), "a,b") }); err == nil || !strings.Contains(err.Error(), `takes no ','`) {
			t.Errorf("%v", err)
		}
	})
	t.Run("a region that is not in the set", func(t *testing.T) {
		if _, err := restore(t, func(o *RestoreOptions) { o.Regions = []string{"BREG"} }); err == nil {
			t.Error("no error")
		}
	})
	t.Run("one region", func(t *testing.T) {
		report, err := restore(t, func(o *RestoreOptions) { o.Regions, o.NoJournals = []string{"areg"}, true })
		if err != nil || len(report.Databases) != 1 || report.Databases[0].Region != "AREG" {
			t.Fatalf("%+v, %v", report, err)
		}
		// What was left out leads nowhere, above all not to the original.
		out, err := (&tools{dist: l.tools.dist, gbldir: report.Gbldir}).m(t.Context(), `write $view("GVFILE","DEFAULT")`)
		if err == nil || !strings.Contains(out, "not-restored/default.dat") {
			t.Errorf("%s, %v", out, err)
		}
	})
	t.Run("cut off at once", func(t *testing.T) {
		to := t.TempDir()
		dist := brokenRestore(t, l.tools.dist)
		if err := os.WriteFile(filepath.Join(dist, "mupip"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := restore(t, func(o *RestoreOptions) { o.To, o.Dist = to, dist }); err == nil {
			t.Fatal("no error")
		}
		// Whoever looks at what there is does no harm to the original.
		for _, name := range l.files("*.dat") {
			if h, err := readHeaderFile(filepath.Join(to, name)); err != nil || h.InUse() {
				t.Errorf("%+v, %v", h, err)
			}
		}
	})
	t.Run("again after it was cut off", func(t *testing.T) {
		to := t.TempDir()
		again := func(dist string) error {
			_, err := restore(t, func(o *RestoreOptions) { o.To, o.Journals, o.Dist = to, []string{l.dir}, dist })
			return err
		}
		if err := again(brokenRestore(t, l.tools.dist)); err == nil {
			t.Fatal("no error")
		}
		if err := again(""); err != nil {
			t.Error(err)
		}
		if err := again(""); !errors.Is(err, ErrTargetExists) {
			t.Errorf("after it was done: %v", err)
		}
	})
}

// TestRestoreOwns holds that a repeated restore writes over what an earlier run
// left half done, and over nothing else: neither over what is done and in use, nor
// over a database that the earlier run was not for.
func TestRestoreOwns(t *testing.T) {
	l := newLive(t, shape{regions: 2, allocation: 400})
	l.load(1)
	l.m("set ^A=1")
	repo := newRepo(t)
	info := l.backup(repo)
	restore := func(to, dist string, regions ...string) (*RestoreReport, error) {
		return Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: to, Dist: dist, Regions: regions, Keep: true})
	}
	t.Run("done with its working directory kept", func(t *testing.T) {
		to := t.TempDir()
		report, err := restore(to, "")
		if err != nil {
			t.Fatal(err)
		}
		used := tools{dist: l.tools.dist, gbldir: report.Gbldir}
		if _, err := used.m(t.Context(), "set ^since=1"); err != nil {
			t.Fatal(err)
		}
		if _, err := restore(to, ""); !errors.Is(err, ErrTargetExists) {
			t.Errorf("%v", err)
		}
		if out, err := used.m(t.Context(), "write ^since"); err != nil || strings.TrimSpace(out) != "1" {
			t.Errorf("what was written since is %q, %v", out, err)
		}
		for _, d := range report.Databases { // moved away, as the error says
			if err := os.Rename(d.Target, d.Target+".old"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := restore(to, ""); err != nil {
			t.Errorf("after they were moved away: %v", err)
		}
	})
	t.Run("at work", func(t *testing.T) {
		to := t.TempDir()
		r := &restorer{work: filepath.Join(to, "datfs-restore-"+info.Instance+"-"+info.Name)}
		if err := os.Mkdir(r.work, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := r.takeLock(); err != nil {
			t.Fatal(err)
		}
		if _, err := restore(to, ""); !errors.Is(err, catalog.ErrLocked) {
			t.Errorf("%v", err)
		}
		if err := r.tools.lock.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := restore(to, ""); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("another region", func(t *testing.T) {
		to := t.TempDir()
		other := filepath.Join(to, l.dir, "t.dat")
		if err := os.MkdirAll(filepath.Dir(other), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(other, []byte("somebody's"), 0o600); err != nil {
			t.Fatal(err)
		}
		broken := brokenRestore(t, l.tools.dist)
		if err := os.WriteFile(filepath.Join(broken, "once"), nil, 0o600); err != nil { // RESTORE fails at once
			t.Fatal(err)
		}
		if _, err := restore(to, broken, "AREG"); err == nil {
			t.Fatal("no error")
		}
		if _, err := restore(to, ""); !errors.Is(err, ErrTargetExists) {
			t.Errorf("%v", err)
		}
		if b, err := os.ReadFile(other); err != nil || string(b) != "somebody's" {
			t.Errorf("it was written over: %v", err)
		}
		if _, err := restore(to, "", "AREG"); err != nil {
			t.Errorf("the region that was half done: %v", err)
		}
	})
}

// brokenRestore returns a directory of GT.M's programs whose MUPIP fails at its
// second RESTORE.
func brokenRestore(t testing.TB, dist string) string {
	t.Helper()
	dir := t.TempDir()
	entries, err := os.ReadDir(dist)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "mupip" {
			if err := os.Symlink(filepath.Join(dist, e.Name()), filepath.Join(dir, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	script := fmt.Sprintf("#!/bin/sh\ngtm_dist=%s; export gtm_dist\n[ \"$1\" = restore ] && { [ -e %s/once ] && { echo '%%GTM-E-BROKEN, on purpose'; exit 1; }; touch %s/once; }\nexec %s/mupip \"$@\"\n", dist, dir, dir, dist)
	if err := os.WriteFile(filepath.Join(dir, "mupip"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
