package gtm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
)

// TestPreflight finds what would go wrong.
func TestPreflight(t *testing.T) {
	find := func(t *testing.T, opts Options, level catalog.Level, text string) {
		t.Helper()
		e, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Preflight(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Findings {
			if f.Level == level && strings.Contains(f.Text, text) {
				return
			}
		}
		t.Errorf("no %s with %q in %v", level, text, s.Findings)
	}
	l := newLive(t, shape{regions: 2, allocation: 100})
	t.Run("sound", func(t *testing.T) {
		e, err := New(Options{Gbldir: strings.TrimSuffix(l.tools.gbldir, ".gld")})
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.Preflight(t.Context())
		if err != nil || s.Failed() || len(s.Databases) != 2 || !strings.HasPrefix(s.Version, "GT.M V") {
			t.Errorf("%+v, %v", s, err)
		}
		for _, f := range s.Findings {
			if f.Level != catalog.LevelOK {
				t.Errorf("%v", f)
			}
		}
		if h, err := readHeaderFile(filepath.Join(l.dir, "t.dat")); err != nil || h.InUse() {
			t.Errorf("the look left something: %+v, %v", h, err)
		}
	})
	t.Run("no journals", func(t *testing.T) {
		l := newLive(t, shape{journal: "none", allocation: 300})
		find(t, Options{Gbldir: l.tools.gbldir}, catalog.LevelWarn, "not journaled")
		l.load(1)
		repo := newRepo(t)
		info := l.backup(repo)
		report, err := Restore(t.Context(), repo, RestoreOptions{Set: info.SetName(), To: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := l.extract(report.Gbldir), l.extract(l.tools.gbldir); got != want {
			t.Error("what was restored is not what the original has")
		}
	})
	t.Run("large blocks", func(t *testing.T) {
		l := newLive(t, shape{blockSize: 65024, allocation: 100})
		find(t, Options{Gbldir: l.tools.gbldir}, catalog.LevelFail, "blocks of 65024 bytes")
		e, err := New(Options{Gbldir: l.tools.gbldir})
		if err != nil {
			t.Fatal(err)
		}
		_, err = dbback.Backup(t.Context(), newRepo(t), e, dbback.BackupOptions{Instance: "GTM"})
		if _, ok := errors.AsType[*dbback.PreflightError](err); !ok {
			t.Errorf("%v", err)
		}
	})
	t.Run("frozen", func(t *testing.T) {
		l.mupip("freeze", "-on", "DEFAULT")
		find(t, Options{Gbldir: l.tools.gbldir}, catalog.LevelWarn, "frozen")
		l.mupip("freeze", "-off", "DEFAULT")
	})
	t.Run("work directory", func(t *testing.T) {
		find(t, Options{Gbldir: l.tools.gbldir, Work: filepath.Join(l.dir, "none")}, catalog.LevelFail, "cannot be written to")
		comma := filepath.Join(l.dir, "a,b")
		if err := os.Mkdir(comma, 0o700); err != nil {
			t.Fatal(err)
		}
		find(t, Options{Gbldir: l.tools.gbldir, Work: comma}, catalog.LevelFail, "MUPIP takes no ','")
	})
	t.Run("no region of that name", func(t *testing.T) {
		e, err := New(Options{Gbldir: l.tools.gbldir, Regions: []string{"XREG"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Preflight(t.Context()); err == nil || !strings.Contains(err.Error(), "it has AREG, DEFAULT") {
			t.Errorf("%v", err)
		}
	})
	t.Run("no file", func(t *testing.T) {
		if err := os.Remove(filepath.Join(l.dir, "a.dat")); err != nil {
			t.Fatal(err)
		}
		find(t, Options{Gbldir: l.tools.gbldir}, catalog.LevelFail, "No such file or directory")
		find(t, Options{Gbldir: l.tools.gbldir, Regions: []string{"default"}}, catalog.LevelOK, "1 region of 2")
	})
	t.Run("encrypted", func(t *testing.T) {
		b := headerBytes(FormatV7, 8192, 10, 1)
		b[offEncrypted] = 1
		h, err := ParseHeader(b)
		if err != nil {
			t.Fatal(err)
		}
		r := region{name: "A", path: "/a.dat", header: h}
		if f := r.findings(); f[0].Level != catalog.LevelFail || !strings.Contains(f[0].Text, "encrypted") {
			t.Errorf("%v", f)
		}
	})
	t.Run("two regions of one file", func(t *testing.T) {
		found := sameFile([]region{{name: "A", path: "/a.dat"}, {name: "B", path: "/b.dat"}, {name: "C", path: "/a.dat"}})
		if len(found) != 1 || found[0].Level != catalog.LevelFail || !strings.Contains(found[0].Text, "region A too") {
			t.Errorf("%v", found)
		}
	})
	t.Run("too many regions", func(t *testing.T) {
		regions := make([]region, 256)
		for i := range regions {
			regions[i].name = fmt.Sprintf("REGION%05d", i)
		}
		if f := tooMany(regions); f != nil { // 256 * len("REGION00000.bck,") - 1 bytes
			t.Errorf("%v", f)
		}
		f := tooMany(append(regions, region{name: "A"}))
		if len(f) != 1 || f[0].Level != catalog.LevelFail || !strings.Contains(f[0].Text, "257 regions takes 4101 bytes") {
			t.Errorf("%v", f)
		}
	})
	t.Run("a path that cannot be restored", func(t *testing.T) {
		h, err := ParseHeader(headerBytes(FormatV7, 8192, 10, 1))
		if err != nil {
			t.Fatal(err)
		}
		r := region{name: "A", path: "/a,b.dat", header: h}
		if f := r.findings(); !strings.Contains(fmt.Sprint(f), "MUPIP takes no ','") {
			t.Errorf("%v", f)
		}
	})
}
