package restore

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Only a write image journal of the instance is moved back, whatever the state says.
func TestGiveUp_Aside(t *testing.T) {
	for _, tt := range []struct {
		name  string
		aside func(wij, other string) (from, to string)
		moved bool
	}{
		{"its own", func(wij, _ string) (string, string) { return wij, wij + ".datfs-SET" }, true},
		{"the second one", func(wij, _ string) (string, string) { return wij, wij + ".datfs-SET-030405" }, true},
		{"of another set", func(wij, _ string) (string, string) { return wij, wij + ".datfs-2020" }, false},
		{"of another suffix", func(wij, _ string) (string, string) { return wij, wij + ".datfs-SET-03040x" }, false},
		{"in a directory below", func(wij, _ string) (string, string) { return wij, wij + ".datfs-SET-/0304" }, false},
		{"of another name", func(wij, _ string) (string, string) { return filepath.Dir(wij) + "/x", wij + ".datfs-SET" }, false},
		{"from elsewhere", func(wij, other string) (string, string) { return wij, other + "/IRIS.WIJ.datfs-SET" }, false},
		{"to elsewhere", func(wij, other string) (string, string) { return other + "/ld.so.preload", wij + ".datfs-SET" }, false},
		{"elsewhere", func(_, other string) (string, string) { return other + "/IRIS.WIJ", other + "/IRIS.WIJ.datfs-SET" }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRestoring(t, Options{Everything: true})
			r.opts.LookOnly = true
			if _, err := r.run(); err != nil {
				t.Fatal(err)
			}
			from, to := tt.aside(r.w.At("mgr/IRIS.WIJ"), t.TempDir())
			to = strings.ReplaceAll(to, "SET", r.info.Name)
			os.Remove(r.w.At("mgr/IRIS.WIJ"))
			if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, []byte("planted"), 0o600); err != nil {
				t.Fatal(err)
			}
			r.plant(state{Aside: [][2]string{{from, to}}})
			given, err := r.giveUp()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(from); (err == nil) != tt.moved {
				t.Errorf("%s: %v", from, err)
			}
			if told := strings.Contains(strings.Join(given.Notes, "\n"), "they are not touched; look whether"); told == tt.moved {
				t.Errorf("notes %q", given.Notes)
			}
		})
	}
}

// plant makes the work directory of a restore that has not been run, with a state.
func (r *restoring) plant(s state) {
	r.t.Helper()
	b, err := json.Marshal(s)
	if err == nil {
		err = os.MkdirAll(r.plan.Work, 0o770)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(r.plan.Work, "state.json"), b, 0o600)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// That the WIJ is aside, or back, is durable before the next state, or none, is: also
// if the run before failed at just that.
func TestRun_DurableWIJ(t *testing.T) {
	r := newRestoring(t, Options{Everything: true})
	mgr := r.w.At("mgr")
	var synced []string // how the WIJ was then
	var failing error
	was := syncDir
	t.Cleanup(func() { syncDir = was })
	syncDir = func(dir string) error {
		if dir != mgr {
			return was(dir)
		}
		_, err := os.Stat(mgr + "/IRIS.WIJ")
		_, err2 := os.Stat(mgr + "/IRIS.WIJ.datfs-" + r.info.Name)
		synced = append(synced, map[bool]string{true: "there", false: "gone"}[err == nil]+map[bool]string{true: " aside", false: ""}[err2 == nil])
		return failing
	}
	failing = os.ErrDeadlineExceeded
	for range 2 {
		synced = nil
		if _, err := r.run(); err == nil || !slices.Equal(synced, []string{"gone aside"}) {
			t.Fatalf("%v, synced %q", err, synced)
		}
	}
	for range 2 {
		synced = nil
		if _, err := r.giveUp(); err == nil || !slices.Equal(synced, []string{"there"}) {
			t.Fatalf("%v, synced %q", err, synced)
		}
		if _, err := os.Stat(r.plan.Work); err != nil {
			t.Errorf("its state: %v", err)
		}
	}
	failing = nil
	if _, err := r.giveUp(); err != nil {
		t.Error(err)
	}
}
