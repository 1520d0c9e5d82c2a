package gtm

import (
	"os"
	"path/filepath"
	"testing"

	"datfs/dbback"
)

// TestExtend makes the database larger between the copy and the incremental, by
// more than is written to: of the maps of the new blocks those that nobody
// changed are neither in the copy nor in the incremental.
func TestExtend(t *testing.T) {
	for name, s := range map[string]shape{"v7": {}, "v6": {create: "-v6", blockSize: 4096}} {
		t.Run(name, func(t *testing.T) {
			l := newLive(t, s)
			l.load(1)
			repo := newRepo(t)
			e, err := New(Options{Gbldir: l.tools.gbldir})
			if err != nil {
				t.Fatal(err)
			}
			info, err := dbback.Backup(t.Context(), repo, e, dbback.BackupOptions{Instance: "GTM", Log: t.Logf, Step: func(step, _ string) {
				if step == dbback.StepList {
					l.mupip("extend", "DEFAULT", "-blocks=3000")
					l.m("set ^extended=1")
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			for _, consistent := range []bool{true, false} {
				report, err := Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: t.TempDir(), NoJournals: true, Consistent: consistent})
				if err != nil {
					t.Fatalf("consistent %t: %v", consistent, err)
				}
				files = append(files, report.Databases[0].Target)
			}
			compareRestored(t, files[0], files[1])
		})
	}
}

// TestTruncate makes the database smaller between the copy and the incremental.
func TestTruncate(t *testing.T) {
	l := newLive(t, shape{})
	l.load(8)
	l.m("kill ^big set i=0 for i=1:1:100 set ^big(i)=i")
	repo := newRepo(t)
	e, err := New(Options{Gbldir: l.tools.gbldir})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(l.dir, "t.dat")
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := dbback.Backup(t.Context(), repo, e, dbback.BackupOptions{Instance: "GTM", Log: t.Logf, Step: func(step, _ string) {
		if step == dbback.StepList {
			l.m("set ^big=1")
			l.mupip("reorg", "-truncate", "-region", "DEFAULT")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(file); err != nil || after.Size() >= before.Size() {
		t.Fatalf("it was not truncated: %d bytes, %v", after.Size(), err)
	}
	for _, consistent := range []bool{true, false} {
		report, err := Restore(t.Context(), repo, RestoreOptions{
			Set: info.SetName(), To: t.TempDir(), Journals: []string{l.dir}, Consistent: consistent,
		})
		if err != nil {
			t.Errorf("consistent %t: %v", consistent, err)
			continue
		}
		if got, want := l.extract(report.Gbldir), l.extract(l.tools.gbldir); got != want {
			t.Error("what was restored is not what the original has")
		}
	}
}
