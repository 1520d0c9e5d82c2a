package gtm

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
)

// backup takes a backup of a live database, slowly enough for the writers to
// change it meanwhile. However fast the copy was, they have changed something by
// the time that it is whole.
func (l *live) backup(repo *catalog.Repository, regions ...string) *catalog.SetInfo {
	l.t.Helper()
	e, err := New(Options{Gbldir: l.tools.gbldir, Regions: regions})
	if err != nil {
		l.t.Fatal(err)
	}
	info, err := dbback.Backup(l.t.Context(), repo, e, dbback.BackupOptions{
		Instance: "GTM", Program: "test", IOLimit: 20 << 20, Log: l.t.Logf,
		Step: func(step, _ string) {
			if step == dbback.StepList && len(l.procs) > 0 {
				l.afterCopy()
			}
		},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	if info.State != catalog.StateComplete {
		l.t.Fatalf("the set is %s: %v", info.State, info.Problems)
	}
	for _, p := range info.Problems {
		l.t.Errorf("the set says %v", p)
	}
	return info
}

// afterCopy waits until the writers have changed what was copied, and, if it is
// to grow, the file has grown.
func (l *live) afterCopy() {
	l.t.Helper()
	size := func() int64 {
		st, err := os.Stat(filepath.Join(l.dir, "t.dat"))
		if err != nil {
			l.t.Fatal(err)
		}
		return st.Size()
	}
	before := size()
	for l.moved("DEFAULT", 100); l.grows && size() == before; {
		l.moved("DEFAULT", 100)
	}
}

// A kind is a shape of databases to be tried.
type kind struct {
	name  string
	shape shape
	mib   int
	in    int // the test that has it when there is not much time
}

// kinds returns the kinds for a test: its own, or with DATFS_LONG all, and
// twenty times as large.
func kinds(test int) []kind {
	long := os.Getenv("DATFS_LONG") != ""
	all := slices.DeleteFunc([]kind{
		{"8192", shape{}, 5, 1},
		{"two regions", shape{regions: 2, allocation: 400}, 2, 1},
		{"512", shape{blockSize: 512, allocation: 4000}, 1, 2},
		{"32256", shape{blockSize: 32256, allocation: 100}, 2, 2},
		{"v6", shape{blockSize: 4096, create: "-v6"}, 2, 1},
		{"mm", shape{access: "MM", journal: "nobefore", allocation: 300}, 2, 2},
		{"growing", shape{allocation: 100}, 1, 2},
	}, func(k kind) bool { return k.in != test && !long })
	for i := range all {
		if long {
			all[i].mib *= 20
		}
	}
	return all
}

// TestMethod takes backups of databases that are written to, restores them while
// the originals run, and compares with the original.
func TestMethod(t *testing.T) {
	needEngine(t)
	for _, tt := range kinds(1) {
		t.Run(tt.name, func(t *testing.T) {
			l := newLive(t, tt.shape)
			l.load(tt.mib)
			l.grows = tt.name == "growing"
			l.start("writer", 1, 1)
			l.start("writer", 2, 1)
			if tt.shape.regions == 2 {
				l.start("across", 3, 1)
			}
			l.moved("DEFAULT", 200)
			repo := newRepo(t)
			info := l.backup(repo)
			if !slices.ContainsFunc(info.Files, func(f catalog.FileInfo) bool {
				return f.Section == catalog.SectionTranscripts && f.Path == "01-preflight.txt"
			}) {
				t.Error("the set does not have what was said in the preflight")
			}
			l.moved("DEFAULT", 500)

			to := t.TempDir()
			report, err := Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: to, Log: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			l.check(report.Gbldir)
			if len(report.Warnings) > 0 { // such as a transaction that the journals of one region lack
				t.Errorf("%v", report.Warnings)
			}
			for _, d := range report.Databases { // or it would go on with the original's journal
				if h, err := readHeaderFile(d.Target); err != nil || h.Journal != JournalDisabled {
					t.Errorf("region %s: %+v, %v", d.Region, h, err)
				}
			}
			l.stop()
			to = t.TempDir()
			report, err = Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: to, Journals: []string{l.dir}, Log: t.Logf})
			if err != nil {
				t.Fatal(err)
			}
			l.check(report.Gbldir)
			if got, want := l.extract(report.Gbldir), l.extract(l.tools.gbldir); got != want {
				t.Error("what was restored is not what the original has")
			}
			for _, name := range l.files("*.dat") {
				if out, ok := l.integ(name); !ok {
					t.Errorf("the original: %s", out)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(l.dir, "datfs-*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if _, err := os.Stat(filepath.Join(to, "datfs-restore-GTM-"+info.Name)); err == nil {
				t.Error("the restore left its working directory")
			}
		})
	}
}
