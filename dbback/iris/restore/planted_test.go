package restore

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"datfs/dbback/iris/session"
)

// A plant is what the instance's owner puts into the work directory of a restore that
// has failed, before root goes on with it or gives it up.
type plant struct {
	name   string
	put    func(work, secret string) error
	step   string // put while root is at work, as this step begins; "": before
	resume string // what going on with it must say; "": it is restored
	giveUp string // the same of giving it up
}

func plants() []plant {
	inPlace := func(name string, put func(secret, path string) error) func(string, string) error {
		return func(work, secret string) error {
			path := filepath.Join(work, name)
			return errors.Join(os.RemoveAll(path), put(secret, path))
		}
	}
	pipe := func(_, path string) error { return syscall.Mkfifo(path, 0o600) }
	dir := func(_, path string) error { return os.MkdirAll(filepath.Join(path, "full"), 0o700) }
	const state, next, said = session.StateName, session.StateName + ".tmp", transcriptName
	const notRead = " is not a plain file with one name only: it is not read; look what it is, and remove it"
	return []plant{
		{"nothing", func(string, string) error { return nil }, "", "", ""},
		{"hard link to be the state", inPlace(next, os.Link), stepDismount, "", ""},
		{"link to be the state", inPlace(next, os.Symlink), stepDismount, "", ""},
		{"pipe to be the state", inPlace(next, pipe), stepDismount, "", ""},
		{"directory to be the state", inPlace(next, dir), stepDismount, "", ""},
		{"hard link as the state", inPlace(state, os.Link), "", state + notRead, state + notRead},
		{"link as the state", inPlace(state, os.Symlink), "", state + notRead, state + notRead},
		{"pipe as the state", inPlace(state, pipe), "", state + notRead, state + notRead},
		{"hard link as the transcript", inPlace(said, os.Link), "", said + notRead, ""},
		{"link as the transcript", inPlace(said, os.Symlink), "", said + notRead, ""},
		{"pipe as the transcript", inPlace(said, pipe), "", said + notRead, ""},
		{"link as the transcript to be kept", inPlace(said, os.Symlink), stepJournals, "", ""},
		{"hard link as the transcript to be kept", inPlace(said, os.Link), stepJournals, "", ""},
		{"link as the work directory", func(work, secret string) error {
			return errors.Join(os.RemoveAll(work), os.Symlink(filepath.Dir(secret), work))
		}, "", " is a symbolic link, or was replaced just now: nothing is read or written through it", " is a symbolic link"},
		{
			"directory of somebody else", func(work, _ string) error { return os.Chown(work, 0, 0) }, "",
			" belongs to the user 0, not to the instance's owner 12345", " belongs to the user 0",
		},
	}
}

// What the instance's owner puts into the work directory of a restore that failed
// leads root nowhere, who goes on with it or gives it up.
func TestGoOn_Planted(t *testing.T) {
	for _, tt := range plants() {
		t.Run(tt.name, func(t *testing.T) {
			r, check := planted(t, tt)
			r.w.Say["JRUN"] = "@@JRUN|0|ERROR: a journal file" // and the transcript is kept
			report, err := r.run()
			if tt.resume == "" {
				failed, ok := errors.AsType[*StepError](err)
				if !ok || failed.Step != stepJournals {
					t.Errorf("error %v", err)
				}
				for _, name := range []string{session.StateName, transcriptName} {
					if uid, mode := ownedBy(t, filepath.Join(r.plan.Work, name)); uid != ownerUID || mode != 0o600 {
						t.Errorf("%s is of %d, %v", name, uid, mode)
					}
				}
				delete(r.w.Say, "JRUN")
				r.onStep = nil
				report, err = r.run()
			}
			check(report.Transcript, err, tt.resume)
		})
		if tt.step != "" { // a run's own
			continue
		}
		t.Run(tt.name+" given up", func(t *testing.T) {
			r, check := planted(t, tt)
			_, err := r.giveUp()
			check("", err, tt.giveUp)
		})
	}
}

// planted makes a restore that root has begun, and the owner's file planted in it; and
// what checks that nothing has come of that.
func planted(t *testing.T, p plant) (*restoring, func(said string, err error, want string)) {
	t.Helper()
	r := newRestoring(t, Options{Databases: []string{"USER"}})
	asRoot(t, r)
	r.w.Say["REST"] = "@@REST|-3"
	if _, err := r.run(); err == nil || r.plan == nil {
		t.Fatal(err)
	}
	delete(r.w.Say, "REST")
	secret := filepath.Join(t.TempDir(), "secret")
	put := func() {
		if err := p.put(r.plan.Work, secret); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile(secret, []byte("SECRET"), 0o600), os.Chmod(filepath.Dir(secret), 0o700)); err != nil {
		t.Fatal(err)
	}
	r.onStep = func(step string) {
		if step == p.step {
			put()
		}
	}
	if p.step == "" {
		put()
	}
	return r, func(said string, err error, want string) {
		t.Helper()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("error %v, want %q", err, want)
		}
		b, err := os.ReadFile(secret)
		if uid, mode := ownedBy(t, secret); string(b) != "SECRET" || err != nil || uid != 0 || mode.Perm() != 0o600 {
			t.Errorf("the other file: %q, of %d, %v, %v", b, uid, mode, err)
		}
		if entries, err := os.ReadDir(filepath.Dir(secret)); err != nil || len(entries) != 1 {
			t.Errorf("beside it: %v, %v", entries, err)
		}
		if strings.Contains(said, "SECRET") {
			t.Error("it came into the transcript")
		}
	}
}

// The incremental is brought again for a restore that is gone on with.
func TestGoOn_Incremental(t *testing.T) {
	for _, way := range []Options{{Databases: []string{"USER"}}, {Everything: true}} {
		for name, spoil := range map[string]func(path string) error{
			"gone":    os.Remove,
			"changed": func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
		} {
			r := newRestoring(t, way)
			r.w.Say["REST"] = "@@REST|-3"
			if _, err := r.run(); err == nil {
				t.Fatal("it succeeds")
			}
			delete(r.w.Say, "REST")
			path := r.plan.incremental()
			want, err := os.ReadFile(path)
			if err = errors.Join(err, spoil(path)); err != nil {
				t.Fatal(err)
			}
			r.onStep = func(step string) {
				if got, err := os.ReadFile(path); step == stepIntegrity && string(got) != string(want) {
					t.Errorf("%s: what is applied is %q, %v", name, got, err)
				}
			}
			if _, err := r.run(); err != nil {
				t.Errorf("%s, everything %v: %v", name, way.Everything, err)
			}
			r.checkRestored(r.w.At("mgr/user/IRIS.DAT"))
		}
	}
}

// A list is not written where a link has come to be since the step began.
func TestListAct_Planted(t *testing.T) {
	dir := t.TempDir()
	p := mustPlan(t, madeSet(), Options{Databases: []string{"USER"}, WorkDir: dir, owner: ownerOf(dir)})
	if err := os.Symlink(t.TempDir(), p.Work); err != nil {
		t.Fatal(err)
	}
	err := (&listAct{p}).run(t.Context(), &restoration{plan: p})
	if err == nil || !strings.Contains(err.Error(), p.Work+" is a symbolic link") {
		t.Errorf("error %v", err)
	}
}
