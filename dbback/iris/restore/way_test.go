package restore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

// inUTC makes local times UTC for a test: what people read has local times.
func inUTC(t *testing.T) {
	t.Helper()
	was := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = was })
}

// at returns a time of the day of the sets.
func at(clock string) time.Time {
	when, err := time.Parse("2006-01-02 15:04:05", "2026-11-22 "+clock)
	if err != nil {
		panic(err)
	}
	return when
}

// madeSet returns a set of three databases, one of them of two volumes, as a
// backup would have left it.
func madeSet(change ...func(*catalog.SetInfo)) *catalog.SetInfo {
	const name = "2026-11-22T03-00-00Z"
	info := &catalog.SetInfo{
		Instance: "PROD", Name: name, Time: at("03:00:00"), State: catalog.StateComplete, Engine: "iris", Host: "db1",
		Method: &catalog.Method{
			ProductVersion: "IRIS for UNIX (Red Hat Enterprise Linux 8 for x86-64) 2024.1 (Build 263U)",
			Databases: []catalog.Database{
				madeDatabase("IRISSYS", "/usr/irissys/mgr/", "IRIS.DAT"),
				madeDatabase("USER", "/usr/irissys/mgr/user/", "IRIS.DAT"),
				madeDatabase("APP", "/data/app/", "IRIS.DAT", "IRIS-0001.VOL"),
			},
			Incrementals: []string{name + ".cbk"},
			Journal: &catalog.JournalRange{
				Required: "/usr/irissys/mgr/journal/20261121.014", Marker: "/usr/irissys/mgr/journal/20261122.002", Offset: 198264,
				Switched: "/usr/irissys/mgr/journal/20261122.002", Files: []string{"20261121.014z", "20261122.001z", "20261122.002"},
			},
			Facts: map[string]string{
				"manager directory": "/usr/irissys/mgr/", "WIJ": "/wij/", "installation iris user": "irisowner", "installation iris group": "irisusr",
			},
		},
	}
	for _, db := range info.Method.Databases {
		for _, path := range db.Paths {
			info.Files = append(info.Files, catalog.FileInfo{
				Path: path, Section: catalog.SectionDatabases, Database: db.Name, Size: 1 << 20, Mode: 0o660, UID: 51773, GID: 51774, ModTime: at("03:00:01"), BlockSize: 8192,
			})
		}
	}
	add := func(section catalog.Section, path, clock string) {
		info.Files = append(info.Files, catalog.FileInfo{Path: path, Section: section, Size: 4096, Mode: 0o660, ModTime: at(clock), Origin: "/usr/irissys/mgr/journal/" + path})
	}
	add(catalog.SectionIncremental, name+".cbk", "03:02:00")
	add(catalog.SectionIncremental, name+".log", "03:02:00")
	add(catalog.SectionJournals, "20261121.014z", "00:00:00")
	add(catalog.SectionJournals, "20261122.001z", "03:01:00")
	add(catalog.SectionJournals, "20261122.002", "03:03:00")
	add(catalog.SectionJournals, "journal.log", "03:03:00")
	for _, c := range change {
		c(info)
	}
	return info
}

func madeDatabase(name, dir string, files ...string) catalog.Database {
	db := catalog.Database{Name: name, Directory: dir, BlockSize: 8192, Bytes: 1 << 20, Mounted: true, Journaled: true}
	for _, f := range files {
		db.Paths = append(db.Paths, filepath.Join(dir, f))
	}
	return db
}

// moveDatabase puts a database of a set into another directory.
func moveDatabase(name, to string) func(*catalog.SetInfo) {
	return func(info *catalog.SetInfo) {
		for i := range info.Method.Databases {
			db := &info.Method.Databases[i]
			if db.Name != name {
				continue
			}
			for j, path := range db.Paths {
				at := slices.IndexFunc(info.Files, func(f catalog.FileInfo) bool { return f.Path == path })
				db.Paths[j] = filepath.Join(to, filepath.Base(path))
				info.Files[at].Path = db.Paths[j]
			}
			db.Directory = to
		}
	}
}

func withoutFile(name string) func(*catalog.SetInfo) {
	return func(info *catalog.SetInfo) {
		info.Files = slices.DeleteFunc(info.Files, func(f catalog.FileInfo) bool { return f.Path == name })
	}
}

// mustPlan makes a plan that can be made.
func mustPlan(t *testing.T, info *catalog.SetInfo, opts Options) *Plan {
	t.Helper()
	p, err := NewPlan(info, opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const refused, notFound = "not restored: ", ": not found"

func TestNewPlan_Errors(t *testing.T) {
	inUTC(t)
	type change = func(*catalog.SetInfo)
	user := Options{Databases: []string{"USER"}}
	redirect := func(pairs ...string) Options {
		opts := Options{Redirect: make(map[string]string)}
		for i := 0; i < len(pairs); i += 2 {
			opts.Redirect[pairs[i]] = pairs[i+1]
		}
		return opts
	}
	const set = "PROD/2026-11-22T03-00-00Z"
	tests := []struct {
		name   string
		change change
		opts   Options
		want   string // with refused at its start it is ErrRefused
		is     error
	}{
		{"files", func(i *catalog.SetInfo) { i.Engine, i.Method = "files", nil }, user, refused + set + " is not a set of an InterSystems instance", nil},
		{"another engine", func(i *catalog.SetInfo) { i.Engine = "gtm" }, user, refused + set + " is not a set of an InterSystems instance", nil},
		{"no method", func(i *catalog.SetInfo) { i.Method = nil }, user, refused + set + " is not a set of an InterSystems instance", nil},
		{
			"incomplete", func(i *catalog.SetInfo) { i.State = catalog.StateIncomplete }, user,
			refused + "the set " + set + ` is incomplete: what it lacks may be what the databases need; "datfs show" says what that is`, nil,
		},
		{
			"interrupted", func(i *catalog.SetInfo) { i.State = catalog.StateInterrupted },
			Options{Everything: true},
			refused + "the set " + set + ` is interrupted: what it lacks may be what the databases need; "datfs show" says what that is`, nil,
		},
		{
			"no incremental", func(i *catalog.SetInfo) { i.Method.Incrementals = nil }, user,
			refused + "the set " + set + " has no incremental: its copies alone are damaged databases", nil,
		},
		{
			"two incrementals", func(i *catalog.SetInfo) { i.Method.Incrementals = []string{"a", "b"} }, user,
			refused + "the set " + set + " has 2 incrementals: this datfs applies one only", nil,
		},
		{
			"lost incremental", withoutFile("2026-11-22T03-00-00Z.cbk"), user,
			"the set " + set + " does not have its incremental 2026-11-22T03-00-00Z.cbk" + notFound, catalog.ErrNotFound,
		},
		{
			"unknown database", nil,
			Options{Databases: []string{"USER", "NONE"}},
			`database "NONE" of ` + set + notFound + "; it has IRISSYS, USER, APP", catalog.ErrNotFound,
		},
		{
			"unknown database redirected", nil, redirect("USER", "/a", "NONE", "/b"),
			`database "NONE" of ` + set + notFound + "; it has IRISSYS, USER, APP", catalog.ErrNotFound,
		},
		{"redirected twice", nil, redirect("USER", "/a", "/usr/irissys/mgr/user", "/b"), "USER is redirected more than once", nil},
		{
			"no place", nil,
			Options{Databases: []string{"USER", "APP"}, Redirect: map[string]string{"USER": "/a"}},
			"it is not said where APP goes: give --to DIR, or --redirect APP=DIR", nil,
		},
		{
			"everything below a directory", nil,
			Options{Everything: true, To: "/x"},
			"everything is restored to where it was: no database, directory or redirection goes with that", nil,
		},
		{
			"everything, redirected", nil,
			Options{Everything: true, Redirect: map[string]string{"USER": "/x"}},
			"everything is restored to where it was: no database, directory or redirection goes with that", nil,
		},
		{
			"everything, some", nil,
			Options{Everything: true, Databases: []string{"USER"}},
			"everything is restored to where it was: no database, directory or redirection goes with that", nil,
		},
		{
			"system database", nil,
			Options{Databases: []string{"irissys"}},
			refused + "IRISSYS cannot be put back into a running instance. The manual restores it to another directory (--redirect IRISSYS=DIR) and puts it in its place when the instance is down", nil,
		},
		{
			"all with the system database", nil,
			Options{},
			refused + "IRISSYS cannot be put back into a running instance. The manual restores it to another directory (--redirect IRISSYS=DIR) and puts it in its place when the instance is down", nil,
		},
		{
			"system database of Caché", func(i *catalog.SetInfo) { i.Method.Databases[0].Name = "CACHESYS" },
			Options{Databases: []string{"CACHESYS"}},
			refused + "CACHESYS cannot be put back into a running instance. The manual restores it to another directory (--redirect CACHESYS=DIR) and puts it in its place when the instance is down", nil,
		},
		{"one place for two", nil, redirect("USER", "/new/", "APP", "/new"), "USER and APP would both be restored to /new/", nil},
		{
			"another's place", nil, redirect("USER", "/data/app"),
			refused + "USER would be restored to /data/app/, where APP belongs; without --to and --redirect it goes back to its own place", nil,
		},
		{
			"the system database's place", nil, redirect("USER", "/usr/irissys/mgr"),
			refused + "USER would be restored to /usr/irissys/mgr/, where IRISSYS belongs; without --to and --redirect it goes back to its own place", nil,
		},
		{
			"below the root", nil,
			Options{Databases: []string{"USER"}, To: "/"},
			refused + "USER would be restored to /usr/irissys/mgr/user/, where USER belongs; without --to and --redirect it goes back to its own place", nil,
		},
		{"relative", nil, redirect("USER", "new"), "new/ is not an absolute path", nil},
		{"relative below", nil, Options{Databases: []string{"USER"}, To: "new"}, "new/usr/irissys/mgr/user/ is not an absolute path", nil},
		{
			"volume elsewhere", func(i *catalog.SetInfo) {
				i.Method.Databases[2].Paths[1], i.Files[3].Path = "/more/app/IRIS-0001.VOL", "/more/app/IRIS-0001.VOL"
			}, redirect("APP", "/new"),
			refused + "APP has volumes in other directories, such as /more/app/IRIS-0001.VOL: how to move those is not known; restore it to where it was", nil,
		},
		{
			"volume beside a directory of like name", func(i *catalog.SetInfo) {
				i.Method.Databases[2].Paths[1], i.Files[3].Path = "/data/app2/IRIS-0001.VOL", "/data/app2/IRIS-0001.VOL"
			}, redirect("APP", "/new"),
			refused + "APP has volumes in other directories, such as /data/app2/IRIS-0001.VOL: how to move those is not known; restore it to where it was", nil,
		},
		{"volume that is not there", withoutFile("/data/app/IRIS-0001.VOL"), Options{Databases: []string{"APP"}}, "the set does not have /data/app/IRIS-0001.VOL" + notFound, catalog.ErrNotFound},
		{"no files", func(i *catalog.SetInfo) { i.Method.Databases[1].Paths = nil }, user, "the set does not say which files USER has" + notFound, catalog.ErrNotFound},
		{
			"comma", nil, redirect("USER", "/a,b"),
			refused + `the directory of USER has a comma, a quote or a control character, which ^DBREST's list of directories cannot have: "/a,b/"`, nil,
		},
		{
			"quote", nil, redirect("USER", `/a"b`),
			refused + `the directory of USER has a comma, a quote or a control character, which ^DBREST's list of directories cannot have: "/a\"b/"`, nil,
		},
		{
			"newline", nil, redirect("USER", "/a\nhalt"),
			refused + `the directory of USER has a comma, a quote or a control character, which ^DBREST's list of directories cannot have: "/a\nhalt/"`, nil,
		},
		{
			"comma where it was", moveDatabase("USER", "/a,b/"), redirect("USER", "/new"),
			refused + `the directory of USER has a comma, a quote or a control character, which ^DBREST's list of directories cannot have: "/new/"`, nil,
		},
		{"comma in the work directory", nil, Options{Databases: []string{"USER"}, WorkDir: "/w,x"}, `the work directory "/w,x/restore-PROD-2026-11-22T03-00-00Z-KEY" has a character that ^DBREST cannot take; name another one`, nil},
		{"relative work directory", nil, Options{Databases: []string{"USER"}, WorkDir: "w"}, "the work directory w is not an absolute path", nil},
		{"control character in a name", func(i *catalog.SetInfo) { i.Method.Databases[1].Name = "US\nhalt" }, Options{
			Databases: []string{"/usr/irissys/mgr/user"}, To: "/new", Define: true,
		}, refused + "a name in the set " + set + " has a control character: ...", nil},
		{
			"no journals", func(i *catalog.SetInfo) { i.Method.Journal = nil }, user,
			refused + "the set " + set + " has no journal files; to restore without them, which leaves open transactions as they are, say so", nil,
		},
		{
			"no journal files", func(i *catalog.SetInfo) { i.Method.Journal.Files = nil }, user,
			refused + "the set " + set + " has no journal files; to restore without them, which leaves open transactions as they are, say so", nil,
		},
		{"lost journal file", withoutFile("20261122.001z"), user, "the set does not have the journal file 20261122.001z" + notFound, catalog.ErrNotFound},
		{
			"marker not listed", func(i *catalog.SetInfo) { i.Method.Journal.Files = i.Method.Journal.Files[:2] }, user,
			"the set " + set + " does not have the journal file 20261122.002, which it needs" + notFound, catalog.ErrNotFound,
		},
		{
			"required not listed", func(i *catalog.SetInfo) { i.Method.Journal.Files = i.Method.Journal.Files[1:] }, user,
			"the set " + set + " does not have the journal file 20261121.014, which it needs" + notFound, catalog.ErrNotFound,
		},
		{
			"until before the marker", nil,
			Options{Databases: []string{"USER"}, Until: at("03:02:59")},
			refused + "2026-11-22 03:02:59 UTC cannot be reached with " + set + ": its databases are whole only at the end of the journal file 20261122.002, which was written to until 2026-11-22 03:03:00 UTC; take an older set", nil,
		},
		{
			"until long before", nil,
			Options{Everything: true, Until: at("03:00:00").AddDate(-1, 0, 0)},
			refused + "2025-11-22 03:00:00 UTC cannot be reached with " + set + ": its databases are whole only at the end of the journal file 20261122.002, which was written to until 2026-11-22 03:03:00 UTC; take an older set", nil,
		},
		{
			"no database at all", func(i *catalog.SetInfo) { i.Method.Databases = nil },
			Options{},
			set + " has no database to be restored" + notFound, catalog.ErrNotFound,
		},
		{
			"no manager directory", func(i *catalog.SetInfo) { delete(i.Method.Facts, "manager directory") },
			Options{Everything: true},
			refused + "the set " + set + " does not say where the manager directory of its instance is: its WIJ, which must not be left there, cannot be found", nil,
		},
		{"drill in place", nil, Options{Databases: []string{"USER"}, Drill: true}, "a drill removes what it restored: it needs a directory of its own", nil},
		{"drill of everything", nil, Options{Everything: true, Drill: true}, "a drill removes what it restored: it needs a directory of its own", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			info := madeSet()
			if tt.change != nil {
				tt.change(info)
			}
			_, err := NewPlan(info, tt.opts)
			if err == nil {
				t.Fatal("there is a plan")
			}
			got, want := err.Error(), tt.want
			if before, _, ok := strings.Cut(want, "..."); ok {
				got, want = got[:min(len(got), len(before))], before
			}
			if before, after, ok := strings.Cut(want, "KEY"); ok && strings.HasPrefix(got, before) && strings.HasSuffix(got, after) {
				got = want
			}
			if got != want {
				t.Errorf("error\n%s\nwant\n%s", got, want)
			}
			if refusal := strings.HasPrefix(want, refused); errors.Is(err, ErrRefused) != refusal {
				t.Errorf("ErrRefused is %v", !refusal)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("it is not %v", tt.is)
			}
		})
	}
}

// The ways: whose sessions, for whom, to where, and by which steps.
func TestNewPlan_Ways(t *testing.T) {
	const (
		sys, user  = "/usr/irissys/mgr/IRIS.DAT", "/usr/irissys/mgr/user/IRIS.DAT"
		app, appV  = "/data/app/IRIS.DAT", "/data/app/IRIS-0001.VOL"
		inPlace    = "look prepare dismount copy mount apply journals integrity"
		everything = "look wij prepare copy apply journals integrity release start validate normal"
	)
	tests := []struct {
		name             string
		opts             Options
		way              Way
		instance, target string
		dirs             string
		files            string // by index in the set
		steps            string
		work             string // less its key
	}{
		{
			"one",
			Options{Databases: []string{"user"}},
			WayDatabases, "PROD", "PROD", "/usr/irissys/mgr/user/",
			"1:" + user, inPlace, "/usr/irissys/mgr/Backup/datfs",
		},
		{
			"two, by directory, in the set's order",
			Options{Databases: []string{"/data/app", "USER"}, Instance: "IRIS"},
			WayDatabases, "IRIS", "IRIS",
			"/usr/irissys/mgr/user/ /data/app/", "1:" + user + " 2:" + app + " 3:" + appV, inPlace, "/usr/irissys/mgr/Backup/datfs",
		},
		{
			"without journals",
			Options{Databases: []string{"USER"}, NoJournals: true, WorkDir: "/w/"},
			WayDatabases, "PROD", "PROD", "/usr/irissys/mgr/user/",
			"1:" + user, "look prepare dismount copy mount apply integrity", "/w",
		},
		{
			"everything",
			Options{Everything: true, Instance: "REST"},
			WayEverything, "REST", "PROD", "/usr/irissys/mgr/ /usr/irissys/mgr/user/ /data/app/",
			"0:" + sys + " 1:" + user + " 2:" + app + " 3:" + appV, everything, "/var/tmp/datfs",
		},
		{
			"everything, of another name",
			Options{Everything: true, Target: "IRIS", WorkDir: "/second/mgr/Backup/datfs"},
			WayEverything, "SECOND", "IRIS",
			"/usr/irissys/mgr/ /usr/irissys/mgr/user/ /data/app/", "0:" + sys + " 1:" + user + " 2:" + app + " 3:" + appV, everything, "/second/mgr/Backup/datfs",
		},
		{
			"all below a directory",
			Options{To: "/r", Instance: "STAGE"},
			WayElsewhere, "STAGE", "STAGE",
			"/r/usr/irissys/mgr/ /r/usr/irissys/mgr/user/ /r/data/app/", "0:/r" + sys + " 1:/r" + user + " 2:/r" + app + " 3:/r" + appV, inPlace, "/usr/irissys/mgr/Backup/datfs",
		},
		{
			"redirected, the system database too",
			Options{Redirect: map[string]string{"IRISSYS": "/n/sys", "/data/app/": "/n/app/"}},
			WayElsewhere, "PROD", "PROD",
			"/n/sys/ /n/app/", "0:/n/sys/IRIS.DAT 2:/n/app/IRIS.DAT 3:/n/app/IRIS-0001.VOL", inPlace, "/usr/irissys/mgr/Backup/datfs",
		},
		{
			"below a directory, one of them redirected, defined",
			Options{To: "/r", Databases: []string{"USER", "APP"}, Redirect: map[string]string{"app": "/n/app"}, Define: true},
			WayElsewhere, "PROD", "PROD", "/r/usr/irissys/mgr/user/ /n/app/", "1:/r" + user + " 2:/n/app/IRIS.DAT 3:/n/app/IRIS-0001.VOL",
			"look prepare dismount copy define mount apply journals integrity", "/usr/irissys/mgr/Backup/datfs",
		},
		{
			"drill",
			Options{To: "/r", Databases: []string{"USER"}, Drill: true},
			WayElsewhere, "PROD", "PROD", "/r/usr/irissys/mgr/user/",
			"1:/r" + user, inPlace + " remove", "/usr/irissys/mgr/Backup/datfs",
		},
	}
	keys := make(map[string]string)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustPlan(t, madeSet(), tt.opts)
			if p.Way != tt.way || p.Instance != tt.instance || p.Target != tt.target {
				t.Errorf("way %s through %s for %s, want %s through %s for %s", p.Way, p.Instance, p.Target, tt.way, tt.instance, tt.target)
			}
			if got := strings.Join(p.dirs(), " "); got != tt.dirs {
				t.Errorf("directories %s, want %s", got, tt.dirs)
			}
			var files, steps []string
			for _, db := range p.Databases {
				for _, i := range sortedKeys(db.Files) {
					files = append(files, fmt.Sprintf("%d:%s", i, db.Files[i]))
				}
				if db.redirected != (tt.way == WayElsewhere) {
					t.Errorf("%s: redirected is %v", db.Name, db.redirected)
				}
			}
			if got := strings.Join(files, " "); got != tt.files {
				t.Errorf("files\n%s\nwant\n%s", got, tt.files)
			}
			for _, s := range p.steps {
				steps = append(steps, s.name)
			}
			if got := strings.Join(steps, " "); got != tt.steps {
				t.Errorf("steps\n%s\nwant\n%s", got, tt.steps)
			}
			if filepath.Dir(p.Work) != tt.work || !strings.HasPrefix(filepath.Base(p.Work), "restore-PROD-2026-11-22T03-00-00Z-") {
				t.Errorf("work directory %s", p.Work)
			}
			key := p.key()
			if other, ok := keys[key]; ok && !strings.HasPrefix(tt.name, "everything") && tt.name != "without journals" && tt.name != "drill" {
				t.Errorf("has the key of %q", other)
			}
			keys[key] = tt.name
			if again := mustPlan(t, madeSet(), tt.opts); again.Work != p.Work {
				t.Errorf("the work directory is another one the second time: %s, %s", p.Work, again.Work)
			}
		})
	}
}

// Where a step that failed begins again: a copy comes before an incremental that
// was begun, and nothing is dismounted for what comes after it.
func TestNewPlan_Again(t *testing.T) {
	want := map[Way]map[string]string{
		// What was mounted may have been written to since.
		WayDatabases: {stepCopy: stepDismount, stepMount: stepDismount, stepApply: stepDismount},
		WayElsewhere: {stepCopy: stepDismount, stepDefine: stepDismount, stepMount: stepDismount, stepApply: stepDismount},
		// The instance is down, and the second one has them open only while and
		// after it applies: the copy begins with a dismount there.
		WayEverything: {stepApply: stepCopy, stepValidate: stepStart},
	}
	for _, opts := range []Options{
		{Databases: []string{"USER"}}, {Everything: true}, {To: "/r", Define: true, Drill: true},
	} {
		p := mustPlan(t, madeSet(), opts)
		for _, s := range p.steps {
			again := s.name
			if other, ok := want[p.Way][s.name]; ok {
				again = other
			}
			if s.again != again {
				t.Errorf("%s: after a failure in %s it begins with %s, want %s", p.Way, s.name, s.again, again)
			}
		}
	}
}

func TestPlan_LockFiles(t *testing.T) {
	p := mustPlan(t, madeSet(), Options{Databases: []string{"USER", "APP"}, To: "/r"})
	if got := strings.Join(p.lockFiles(), " "); got != "/r/usr/irissys/mgr/user/iris.lck /r/data/app/iris.lck" {
		t.Error(got)
	}
	cache := madeSet(func(info *catalog.SetInfo) {
		info.Method.Databases = info.Method.Databases[1:2]
		info.Method.Databases[0].Paths[0], info.Files[1].Path = "/usr/irissys/mgr/user/CACHE.DAT", "/usr/irissys/mgr/user/CACHE.DAT"
	})
	p = mustPlan(t, cache, Options{})
	if got := strings.Join(p.lockFiles(), " "); got != "/usr/irissys/mgr/user/cache.lck" {
		t.Error(got)
	}
	if p.controlProgram() != "ccontrol" {
		t.Error(p.controlProgram())
	}
}

// What is asked before it is overwritten: what is there, as long as the copy is
// still to come.
func TestPlan_Overwrites(t *testing.T) {
	inUTC(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "data/app/IRIS.DAT")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at("01:02:03"), at("01:02:03")); err != nil {
		t.Fatal(err)
	}
	p := mustPlan(t, madeSet(), Options{Databases: []string{"USER", "APP"}, To: dir})
	want := []string{path + ", 3 MiB, written to last at 2026-11-22 01:02:03 UTC, is overwritten"}
	for next, lines := range map[string][]string{"": want, stepPrepare: want, stepDismount: want, stepCopy: want, stepMount: nil, stepJournals: nil} {
		if got := p.Overwrites(next); !slices.Equal(got, lines) {
			t.Errorf("from the step %q on: %q, want %q", next, got, lines)
		}
	}
}

// Another instance may have its databases at the same paths: if that is said, a
// database goes to its own place there, with nothing redirected.
func TestNewPlan_OwnPlaceElsewhere(t *testing.T) {
	info := madeSet()
	dir := info.Method.Databases[1].Directory
	name := info.Method.Databases[1].Name
	p := mustPlan(t, info, Options{Redirect: map[string]string{name: dir}})
	if p.Way != WayElsewhere || p.Databases[0].To != dir || dirList(p.Databases) != dir+",,N\n" {
		t.Errorf("%s to %s, list %q", p.Way, p.Databases[0].To, dirList(p.Databases))
	}
	if told := strings.Join(p.Statements(), "\n"); strings.Contains(told, "JRED") || !strings.Contains(told, "j.JournalLog") {
		t.Errorf("statements\n%s", told)
	}
	if _, err := NewPlan(madeSet(), Options{Databases: []string{name}, To: "/"}); !errors.Is(err, ErrRefused) {
		t.Errorf("to the root directory: %v", err)
	}
}
