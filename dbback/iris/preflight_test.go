package iris

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/internal/played"
	"datfs/dbback/iris/session"
)

// finding returns the finding of a check, the worst if there are several.
func finding(s *dbback.Survey, check string) catalog.Finding {
	var worst catalog.Finding
	rank := map[catalog.Level]int{"": 0, catalog.LevelOK: 1, catalog.LevelWarn: 2, catalog.LevelFail: 3}
	for _, f := range s.Findings {
		if f.Check == check && rank[f.Level] > rank[worst.Level] {
			worst = f
		}
	}
	return worst
}

func TestPreflightFindings(t *testing.T) {
	const ok, warn, fail = catalog.LevelOK, catalog.LevelWarn, catalog.LevelFail
	unknown := func(w *played.Instance) {
		w.List = append(w.List, w.At("mgr")+"/app/")
		w.Write("mgr/app/IRIS.DAT", "x")
	}
	replace := func(old, with string) func(w *played.Instance) {
		return func(w *played.Instance) { w.Databases = strings.ReplaceAll(w.Databases, old, with) }
	}
	say := func(name, text string) func(w *played.Instance) {
		return func(w *played.Instance) { w.Say[name] = text }
	}
	refuse := func(text string) func(w *played.Instance) {
		return func(w *played.Instance) { w.Refuse, w.Exit = text, 1 }
	}
	tests := []struct {
		name   string
		change func(w *played.Instance)
		check  string
		level  catalog.Level
		text   string
	}{
		{"version", func(*played.Instance) {}, checkVersion, ok, "IRIS 2022.1"},
		{"noise", func(w *played.Instance) { w.Greeting = "Welcome!\n@@x\n\x1b[2J@@READY|\n" }, checkSession, ok, ""},
		{"old version", func(w *played.Instance) { w.Version = "Cache for UNIX (x) 2008.2.1 (Build 1)" }, checkVersion, warn, "before 2013"},
		{"strange version", func(w *played.Instance) { w.Version = "what" }, checkVersion, warn, "not known"},
		{"licence", refuse("<LICENSE LIMIT EXCEEDED>\n"), checkSession, fail, "licence"},
		{"inhibited", refuse("<InterSystems IRIS Startup Error: Sign-on and JOB inhibited: Switch 12 is set (0)>\n"), checkInstance, fail, "inhibited"},
		{"denied", refuse("\nAccess Denied\n"), checkSession, fail, "denies access"},
		{"prompt", refuse("\nUsername: "), checkSession, fail, "asks for a user"},
		{"down", refuse("Instance 'IRIS' is not running\n"), checkInstance, fail, "down"},
		{"anything", refuse("something else\n"), checkSession, fail, "something else"},
		{"namespace", func(w *played.Instance) { w.Namespace = "USER" }, checkNamespace, fail, "Startup Namespace"},
		{"protect", say("JRN", "@@ERR|JRN|<PROTECT>|x+1^JRN|"), checkPrivileges, fail, "JRN at x+1^JRN"},
		{"protect in LISTDIRS", say("LIST", "@@ERR|LIST|<PROTECT>|x|"), checkPrivileges, fail, "LISTDIRS"},
		{"no manager directory", say("MGR", "@@MGR|"), checkManager, fail, ""},
		{"manager directory elsewhere", say("MGR", "@@MGR|/no/such/mgr/"), checkManager, fail, "/no/such/mgr"},
		{"no CPF", func(w *played.Instance) { os.Remove(w.At("iris.cpf")) }, checkConfig, warn, "neither"},
		{"purge settings", func(w *played.Instance) { w.Write("iris.cpf", "[Journal]\nBackupsBeforePurge=2\n") }, checkPurge, warn, "BackupsBeforePurge=2, DaysBeforePurge=2"},
		{"purge by default", func(w *played.Instance) { w.Write("iris.cpf", "[Journal]\n") }, checkPurge, warn, ""},
		{"purge by days", func(w *played.Instance) { w.Write("iris.cpf", "[Journal]\nBackupsBeforePurge=0\n") }, checkPurge, ok, ""},
		{"no journal", say("JRN", "@@JRN||/j/|/j/"), checkJournals, warn, "no current journal"},
		{"journal elsewhere", say("JRN", "@@JRN|/no/such/20261122.001|/no/such/|/no/such/"), checkJournals, fail, "/no/such"},
		{"a restore that was given up", func(w *played.Instance) {
			w.Write("mgr/Backup/datfs/restore-IRIS-2026-11-22T03-00-00Z-all/state.json", "{}")
		}, checkRestores, warn, "restore-IRIS-2026-11-22T03-00-00Z-all"},
		{"one of this instance, half done", func(w *played.Instance) {
			w.Write("mgr/Backup/datfs/restore-a/state.json", `{"set":"IRIS/a","dirs":["`+w.At("mgr/user")+`/"],"step":"apply","half":true,"command":"datfs restore iris IRIS/a"}`)
		}, checkRestores, fail, "and these are half restored: "},
		{"one that has not begun to write", func(w *played.Instance) {
			w.Write("mgr/Backup/datfs/restore-a/state.json", `{"set":"IRIS/a","dirs":["`+w.At("mgr/user")+`/"],"step":"prepare"}`)
		}, checkRestores, warn, "came to the step prepare; the incremental in "},
		{"one that says what a terminal would do", func(w *played.Instance) {
			w.Write("mgr/Backup/datfs/restore-a/state.json", `{"set":"IRIS/a\u001b[2K","step":"pre\rpare","command":"datfs x; rm x"}`)
		}, checkRestores, warn, "the restore of IRIS/a[2K, begun at 0001-01-01 00:00:00 UTC, has not ended: it came to the step prepare; "},
		{"one to elsewhere", func(w *played.Instance) {
			w.Write("mgr/Backup/datfs/restore-a/state.json", `{"set":"IRIS/a","dirs":["/elsewhere/"],"step":"apply","half":true}`)
		}, checkRestores, warn, "came to the step apply; the incremental in "},
		{"no mirror", func(*played.Instance) {}, checkMirror, ok, "not a member"},
		{"primary", func(w *played.Instance) { w.Say["MIR"], w.Say["MIRX"] = "@@MIR|1|1", "@@MIRX|0|0|M" }, checkMirror, ok, "primary failover member of M"},
		{"async", func(w *played.Instance) { w.Say["MIR"], w.Say["MIRX"] = "@@MIR|2|0", "@@MIRX|0|1|M" }, checkMirror, warn, "async"},
		{"unknown role", say("MIR", "@@MIR|7|0"), checkMirror, warn, "7|0"},
		{"write daemon", func(*played.Instance) {}, checkDaemon, ok, "not suspended"},
		{"write daemon suspended", say("WDS", "@@WDS|1"), checkDaemon, warn, "another backup or a freeze"},
		{"directories", func(*played.Instance) {}, checkDirectories, ok, "all of them"},
		{"directory with a comma", func(w *played.Instance) {
			w.List = append(w.List, w.At("a,b")+"/")
			w.Write("a,b/IRIS.DAT", "x")
			w.Databases += "\n@@DB|COMMA|" + w.At("a,b") + "/|8192|1|1|0|0|0|3"
		}, checkDirectories, warn, "cannot be restored"},
		{"space", func(*played.Instance) {}, checkSpace, ok, "MiB free"},
		{"little space", func(w *played.Instance) {
			w.Databases += "\n@@DBX|" + strconv.FormatInt(1<<49/8192, 10) + "||" + w.At("mgr/user/")
		}, checkSpace, warn, "MiB free"},
		{"list of nothing", func(w *played.Instance) { w.List = nil }, checkList, fail, "no database"},
		{"empty list", say("BL", "@@BLEND|1"), checkList, ok, "all but IRISTEMP"},
		{"list", func(*played.Instance) {}, checkList, ok, "2 databases"},
		{"unlisted", func(w *played.Instance) { w.Databases += "\n@@DB|APP|/app/|8192|1|1|0|0|0|3" }, checkList, warn, "APP"},
		{"IRISLIB is not asked for", func(*played.Instance) {}, checkSystem, ok, ""},
		{"IRISSYS unlisted", func(w *played.Instance) { w.List = w.List[1:] }, checkSystem, warn, "IRISSYS"},
		{"IRISSECURITY unlisted", func(w *played.Instance) { w.Databases += "\n@@DB|IRISSECURITY|/sec/|8192|1|1|0|0|0|3" }, checkSystem, warn, "IRISSECURITY"},
		{"LISTDIRS fails", say("LIST", "@@LIST|0"), checkList, fail, `answered "0"`},
		{"LISTDIRS elsewhere", func(w *played.Instance) { w.NoList = true }, checkWorkDir, fail, "cannot be read here"},
		{"described", func(*played.Instance) {}, checkJournaling, ok, "all databases are journaled"},
		{"not described", unknown, checkDescribed, warn, "mgr/app/"},
		{"others are described", unknown, checkJournaling, ok, "2 of 3 databases are journaled"},
		{"others are mounted", unknown, checkMounted, ok, "2 of 3 databases"},
		{"dismounted", replace("/mgr/user/|8192|1|1|0", "/mgr/user/|8192|1|0|0"), checkMounted, fail, "USER"},
		{"read-only", replace("/mgr/user/|8192|1|1|0", "/mgr/user/|8192|1|1|1"), checkMounted, warn, "read-only: USER"},
		{"IRISLIB is read-only", func(*played.Instance) {}, checkMounted, ok, ""},
		{"lost", func(w *played.Instance) { w.Databases += "\n@@DB|LOST|/lost/" }, checkMounted, warn, "LOST (/lost/)"},
		{"remote", func(w *played.Instance) { w.Databases += "\n@@DB|FAR|:ds:O:X" }, checkRemote, ok, "FAR"},
		{"file gone", func(w *played.Instance) { os.Remove(w.At("mgr/user/IRIS.DAT")) }, checkFiles, fail, "user/IRIS.DAT"},
		{"file is a directory", func(w *played.Instance) { os.Remove(w.At("mgr/user/IRIS.DAT")); w.Write("mgr/user/IRIS.DAT/x", "") }, checkFiles, fail, "no regular file"},
		{"volume", func(w *played.Instance) { w.Write("mgr/user/IRIS-0001.VOL", "x") }, checkVolumes, warn, "USER"},
		{"volumes refused", say("VOL", "@@ERR|VOL|<PROTECT>|zVOL^|"), checkPrivileges, fail, "further volumes"},
		{"volumes cut off", say("VOL", "@@VOL|USER|/v/"), checkList, fail, "ends in the middle"},
		{"volumes elsewhere", say("VOL", "@@VOL|USER|/no/such/place/\n@@VOLEND|1"), checkFiles, fail, "/no/such/place"},
		{"no volume", func(*played.Instance) {}, checkVolumes, ok, ""},
		{"streams", func(w *played.Instance) { w.Write("mgr/user/stream/x", "x") }, checkStreams, warn, "USER"},
		{"streams elsewhere", func(w *played.Instance) {
			w.Write("s/x", "x")
			w.Write("iris.cpf", "[Databases]\nUSER=/x/,,,,,"+w.At("s")+"\n")
		}, checkStreams, warn, "USER"},
		{"encrypted", replace("user/|8192|1|1|0|0|0|", "user/|8192|1|1|0|0|1|"), checkEncryption, warn, "in the clear: USER"},
		{"not journaled", replace("user/|8192|1|1|0|0|0|3", "user/|8192|1|1|0|0|0|2"), checkJournaling, warn, "USER"},
		{"journaled", func(*played.Instance) {}, checkJournaling, ok, ""},
		{"history", func(*played.Instance) {}, checkHistory, ok, "No information recorded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := played.New(t)
			tt.change(w)
			survey, err := engine(t, w).Preflight(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			f := finding(survey, tt.check)
			if f.Level != tt.level || !strings.Contains(f.Text, tt.text) {
				t.Errorf("%v; want %s with %q", f, tt.level, tt.text)
			}
			if f.Level == fail != survey.Failed() {
				t.Errorf("other findings fail: %v", survey.Findings)
			}
			for _, f := range survey.Findings {
				if f.Level == ok && f.Do != "" || f.Text == "" {
					t.Errorf("finding %+v", f)
				}
			}
			if left, _ := filepath.Glob(w.At("mgr/Backup/datfs/list-*")); left != nil {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// The instance is asked for its state where the usual command is used.
func TestPreflightStatus(t *testing.T) {
	tests := []struct {
		name   string
		status string
		level  catalog.Level
	}{
		{"running", "running, since Sun Nov 22 03:00:00 2026^iris.cpf^1^2^3^ok", catalog.LevelOK},
		{"ill", "running, since Sun Nov 22 03:00:00 2026^iris.cpf^1^2^3^hung", catalog.LevelWarn},
		{"old", "running, since Sun Nov 22 03:00:00 2026^cache.cpf^1^2^3", catalog.LevelOK},
		{"down", "down, last used Sun Nov 22 03:00:00 2026^iris.cpf^1^2^3^", catalog.LevelFail},
		{"inhibited", "sign-on inhibited^iris.cpf^1^2^3^", catalog.LevelFail},
		{"unknown", "", catalog.LevelFail},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := played.New(t)
			w.Qlist = "IRIS^/x/^2022.1^" + tt.status + "\n"
			if tt.status == "" {
				w.Qlist = ""
			}
			w.OnPath()
			survey, err := engine(t, w, func(o *session.Options) { o.Command = nil }).Preflight(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if f := finding(survey, checkInstance); f.Level != tt.level {
				t.Errorf("%v; want %s", f, tt.level)
			}
			if survey.Failed() != (tt.level == catalog.LevelFail) {
				t.Errorf("findings %v", survey.Findings)
			}
		})
	}
}

// A command that is not there is a finding.
func TestPreflightNoCommand(t *testing.T) {
	survey, err := engine(t, played.New(t), func(o *session.Options) { o.Command = []string{"/no/such/program"} }).Preflight(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f := finding(survey, checkSession); f.Level != catalog.LevelFail || !strings.Contains(f.Text, "cannot be run") {
		t.Errorf("%v", f)
	}
}

func TestDescribe(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{
		"a/IRIS.DAT", "a/iris.lck", "a/IRIS-0002.VOL", "a/IRIS-0001.VOL", "a/IRIS.WIJ", "a/iris.dbdir", "a/x.VOL",
		"v/IRIS-0003.VOL", "v/iris.dbdir", "v/IRIS.DAT", "c/CACHE.DAT", "c/CACHE.EXT", "c/cache.lck",
	} {
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at(name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	known := []configured{
		{name: "A", directory: at("a") + "/", local: true, mounted: true, mirrored: true, journal: "3", volumes: []string{at("v") + "/"}},
		{name: "C", directory: at("c") + "/", local: true, readOnly: true, encrypted: true, journal: "2"},
	}
	dbs := describe([]string{at("a") + "/", at("c") + "/", at("gone") + "/"}, known)
	want := []struct {
		name, mirror         string
		mounted, readOnly    bool
		encrypted, journaled bool
		paths                []string
	}{
		{"A", "A", true, false, false, true, []string{at("a/IRIS.DAT"), at("a/IRIS-0001.VOL"), at("a/IRIS-0002.VOL"), at("v/IRIS-0003.VOL"), at("v/iris.dbdir")}},
		{"C", "", false, true, true, false, []string{at("c/CACHE.DAT"), at("c/CACHE.EXT")}},
		{"GONE", "", true, false, false, true, []string{at("gone/IRIS.DAT")}},
	}
	for i, tt := range want {
		db := dbs[i]
		if db.Name != tt.name || db.Mirror != tt.mirror || db.Mounted != tt.mounted || db.ReadOnly != tt.readOnly || db.Encrypted != tt.encrypted ||
			db.Journaled != tt.journaled || strings.Join(db.Paths, " ") != strings.Join(tt.paths, " ") {
			t.Errorf("%+v, want %+v", db, tt)
		}
	}
}

func TestCheck(t *testing.T) {
	const mib = 1 << 20
	db := catalog.Database{Directory: "/db/user/", BlockSize: 8192, Bytes: 64 * mib, Paths: []string{"/db/user/IRIS.DAT"}}
	label := func(dir string, size int64, blockSize int32) *catalog.Label {
		return &catalog.Label{Directory: dir, Blocks: size / int64(blockSize), BlockSize: blockSize}
	}
	tests := []struct {
		name string
		file catalog.FileInfo
		want string
	}{
		{"the same", catalog.FileInfo{Label: label("/db/user/", 64*mib, 8192), SizeAtOpen: 64 * mib, SizeAtEnd: 64 * mib}, ""},
		{"no slash", catalog.FileInfo{Label: label("/db/user", 64*mib, 8192), SizeAtOpen: 64 * mib, SizeAtEnd: 64 * mib}, ""},
		{"grew before", catalog.FileInfo{Label: label("/db/user/", 80*mib, 8192), SizeAtOpen: 80 * mib, SizeAtEnd: 80 * mib}, ""},
		{"grew meanwhile", catalog.FileInfo{Label: label("/db/user/", 64*mib, 8192), SizeAtOpen: 64 * mib, SizeAtEnd: 90 * mib}, ""},
		{"label written late", catalog.FileInfo{Label: label("/db/user/", 60*mib, 8192), SizeAtOpen: 64 * mib, SizeAtEnd: 64 * mib}, ""},
		{"shrank", catalog.FileInfo{Label: label("/db/user/", 32*mib, 8192), SizeAtOpen: 32 * mib, SizeAtEnd: 32 * mib}, "4096 blocks"},
		{"cut off", catalog.FileInfo{Label: label("/db/user/", 64*mib, 8192), SizeAtOpen: 40 * mib, SizeAtEnd: 40 * mib}, "41943040 bytes, but its label says 8192 blocks"},
		{"cut off by a byte", catalog.FileInfo{Label: label("/db/user/", 64*mib, 8192), SizeAtOpen: 64*mib - 1, SizeAtEnd: 64*mib - 1}, "its end is missing"},
		{"no label", catalog.FileInfo{}, "does not begin with the label"},
		{"other directory", catalog.FileInfo{Label: label("/db/other/", 64*mib, 8192), SizeAtOpen: 64 * mib, SizeAtEnd: 64 * mib}, `"/db/other/"`},
		{"other blocks", catalog.FileInfo{Label: label("/db/user/", 64*mib, 16384), SizeAtOpen: 64 * mib, SizeAtEnd: 64 * mib}, "16384 bytes"},
		{"too few", catalog.FileInfo{Label: label("/db/user/", 10*mib, 8192), SizeAtOpen: 64 * mib, SizeAtEnd: 64 * mib}, "1280 blocks"},
		{"too many", catalog.FileInfo{Label: label("/db/user/", 100*mib, 8192), SizeAtOpen: 64 * mib, SizeAtEnd: 64 * mib}, "12800 blocks"},
		{"absurd", catalog.FileInfo{Label: &catalog.Label{Directory: "/db/user/", Blocks: 1 << 62, BlockSize: 8192}}, "4611686018427387904 blocks"},
	}
	for _, tt := range tests {
		got := strings.Join((&Engine{}).Check(db, tt.file), "; ")
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	e := &Engine{run: &attempt{known: []configured{{local: true, directory: "/db/user/", own: "/db/elsewhere/"}}}}
	if got := strings.Join(e.Check(db, tests[0].file), "; "); !strings.Contains(got, "SYS.Database says /db/elsewhere/") {
		t.Errorf("another directory in SYS.Database: %q", got)
	}
}
