package fs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/catalog"
)

// pathsOf returns the paths below e as tree does for a real directory.
func pathsOf(e *entry) []string {
	var found []string
	for _, c := range e.children().list {
		switch {
		case c.isDir():
			found = append(found, c.path+"/")
			found = append(found, pathsOf(c)...)
		case c.link != "":
			found = append(found, c.path+" -> "+c.link)
		default:
			found = append(found, c.path)
		}
	}
	slices.Sort(found)
	return found
}

func treeOf(infos ...*catalog.SetInfo) *entry {
	var sets []*set
	for _, info := range infos {
		sets = append(sets, newSet(info, extras{}))
	}
	return newTree(sets, nil, firstSet, func(newest *set) []byte { return readmeText("/repo", "/mnt/b", newest) })
}

func info(instance, name string, state catalog.State, files ...catalog.FileInfo) *catalog.SetInfo {
	return &catalog.SetInfo{Instance: instance, Name: name, Time: firstSet, State: state, Files: files}
}

func dbFile(path, database string) catalog.FileInfo {
	return catalog.FileInfo{Path: path, Section: catalog.SectionDatabases, Database: database, Size: 8192, Mode: 0o640, ModTime: firstSet, XXH64: "0123456789abcdef"}
}

func TestNewTree(t *testing.T) {
	const top = "README.txt latest/ sets/ databases/ incomplete/ "
	const meta = "%/set.json %/SUMS.xxh64 %/databases/ "
	const sealed = meta + "%/notes/ "
	tests := []struct {
		name string
		sets []*catalog.SetInfo
		want string
	}{
		{"Empty", nil, top},
		{
			"NoFiles",
			[]*catalog.SetInfo{info("A", "1", catalog.StateComplete)},
			top + "latest/A -> ../sets/A/1 sets/A/ sets/A/1/ " + strings.ReplaceAll(sealed, "%", "sets/A/1") + "databases/A/",
		},
		{
			"AllStates",
			[]*catalog.SetInfo{
				info("A", "1", catalog.StateComplete), info("A", "2", catalog.StateInterrupted),
				info("B", "1", catalog.StateRunning), info("C", "1", catalog.StateIncomplete),
			},
			top + "latest/A -> ../sets/A/1 sets/A/ sets/A/1/ databases/A/ " +
				"incomplete/A/ incomplete/A/2/ incomplete/B/ incomplete/B/1/ incomplete/C/ incomplete/C/1/ " +
				strings.ReplaceAll(sealed, "%", "sets/A/1") +
				strings.ReplaceAll(meta+"%/PROBLEMS.txt ", "%", "incomplete/A/2") +
				strings.ReplaceAll(meta+"%/PROBLEMS.txt ", "%", "incomplete/B/1") +
				strings.ReplaceAll(sealed+"%/PROBLEMS.txt ", "%", "incomplete/C/1"),
		},
		{
			"Sections",
			[]*catalog.SetInfo{info("A", "1", catalog.StateComplete,
				dbFile("/data/user/IRIS.DAT", "USER"),
				catalog.FileInfo{Path: "x.cbk", Section: catalog.SectionIncremental},
				catalog.FileInfo{Path: "20261122.001", Section: catalog.SectionJournals})},
			top + "latest/A -> ../sets/A/1 sets/A/ sets/A/1/ " + strings.ReplaceAll(sealed, "%", "sets/A/1") +
				"sets/A/1/databases/data/ sets/A/1/databases/data/user/ sets/A/1/databases/data/user/IRIS.DAT " +
				"sets/A/1/incremental/ sets/A/1/incremental/x.cbk sets/A/1/journals/ sets/A/1/journals/20261122.001 " +
				"databases/A/ databases/A/USER/ databases/A/USER/1/ databases/A/USER/1/IRIS.DAT",
		},
		{
			"Clashes", // of base names, of a path with itself, of a file with a directory
			[]*catalog.SetInfo{info("A", "1", catalog.StateComplete,
				dbFile("/a/f", "D"), dbFile("/b/f", "D"), dbFile("/a/f", "D"), dbFile("/a/f/g", "E"), dbFile("/a/f/h", "E"))},
			top + "latest/A -> ../sets/A/1 sets/A/ sets/A/1/ " + strings.ReplaceAll(sealed, "%", "sets/A/1") +
				"sets/A/1/databases/a/ sets/A/1/databases/a/f sets/A/1/databases/a/f-2 sets/A/1/databases/b/ sets/A/1/databases/b/f " +
				"sets/A/1/databases/a/f-3/ sets/A/1/databases/a/f-3/g sets/A/1/databases/a/f-3/h " +
				"databases/A/ databases/A/D/ databases/A/D/1/ databases/A/D/1/f databases/A/D/1/f-2 databases/A/D/1/f-3 " +
				"databases/A/E/ databases/A/E/1/ databases/A/E/1/g databases/A/E/1/h",
		},
		{
			"HostileNames",
			[]*catalog.SetInfo{info("A", "1", catalog.StateComplete,
				dbFile("/../../etc/f", ".."), dbFile("", "x/y"), catalog.FileInfo{Path: "../q", Section: "../.."})},
			top + "latest/A -> ../sets/A/1 sets/A/ sets/A/1/ " + strings.ReplaceAll(sealed, "%", "sets/A/1") +
				"sets/A/1/databases/etc/ sets/A/1/databases/etc/f sets/A/1/databases/_ sets/A/1/.._../ sets/A/1/.._../q " +
				"databases/A/ databases/A/_../ databases/A/_../1/ databases/A/_../1/f databases/A/x_y/ databases/A/x_y/1/ databases/A/x_y/1/_",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := treeOf(tt.sets...)
			got := pathsOf(root)
			wantLines(t, got, tt.want)
			for _, p := range got {
				p, _, _ = strings.Cut(strings.TrimSuffix(p, "/"), " -> ")
				if e := root.find(p); e == nil || e.path != p {
					t.Errorf("find(%q) = %+v", p, e)
				}
			}
		})
	}
}

// TestNewTree_Fixed checks what the kernel may keep for an hour: the inside of
// sealed sets but for what shows their notes, and nothing else.
func TestNewTree_Fixed(t *testing.T) {
	root := treeOf(
		info("A", "1", catalog.StateComplete, dbFile("/d/f", "D")),
		info("A", "2", catalog.StateRunning, dbFile("/d/f", "D")),
		info("A", "3", catalog.StateInterrupted, dbFile("/d/f", "D")),
		info("A", "4", catalog.StateIncomplete, dbFile("/d/f", "D")),
	)
	fixed := []string{"sets/A/1/", "databases/A/D/1/", "incomplete/A/4/"}
	for _, p := range pathsOf(root) {
		want := slices.ContainsFunc(fixed, func(dir string) bool { return strings.HasPrefix(p, dir) })
		name, _, _ := strings.Cut(strings.TrimSuffix(p, "/"), " -> ")
		if base := filepath.Base(name); base == "set.json" || base == "notes" {
			want = false // new notes show there
		}
		if got := root.find(name).fixed; got != want {
			t.Errorf("%s: fixed = %v, want %v", p, got, want)
		}
	}
}

func TestPlainName(t *testing.T) {
	long := strings.Repeat("x", 300)
	tests := []struct{ in, want string }{
		{"USER", "USER"},
		{"/data/user/", "_data_user_"},
		{"", "_"},
		{".", "_."},
		{"..", "_.."},
		{"a\x00b", "a_b"},
		{"\xff/\xfe", "\xff_\xfe"}, // not UTF-8, and kept so
		{long, long[:251]},
		{long[:255], long[:255]},
	}
	for _, tt := range tests {
		if got := plainName(tt.in); got != tt.want {
			t.Errorf("plainName(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestSetText(t *testing.T) {
	noSum, newline := dbFile("/d/nosum", "D"), dbFile("/d/new\nline", "D")
	noSum.XXH64 = ""
	s := info("A", "1", catalog.StateIncomplete, dbFile("/d/a b", "D"), noSum, newline, dbFile(`/d/x\y`, "D"))
	s.Problems = []catalog.Problem{{Path: "/d/gone", Error: "not found", Fatal: true}, {Error: "a bit odd"}}
	dir := treeOf(s).find("incomplete/A/1")

	sums := "0123456789abcdef  databases/d/a b\n" + `0123456789abcdef  databases/d/x\y` + "\n"
	if got := string(dir.child("SUMS.xxh64").text()); got != sums {
		t.Errorf("SUMS.xxh64:\n%s\nwant:\n%s", got, sums)
	}
	problems := string(dir.child("PROBLEMS.txt").text())
	for _, want := range []string{"A/1", "incomplete", "error: /d/gone: not found\n", "warning: a bit odd\n"} {
		if !strings.Contains(problems, want) {
			t.Errorf("PROBLEMS.txt does not say %q:\n%s", want, problems)
		}
	}
	if got := string(dir.child("set.json").text()); !strings.Contains(got, `  "instance": "A",`) || !strings.HasSuffix(got, "}\n") {
		t.Errorf("set.json:\n%s", got)
	}
}

func TestReadmeText(t *testing.T) {
	older := info("A", "1", catalog.StateComplete, dbFile("/data/old/IRIS.DAT", "OLD"))
	newer := info("B", "2", catalog.StateComplete, dbFile("/data/my db/IRIS.DAT", "MY"))
	newer.Time = firstSet.Add(time.Hour)
	got := string(treeOf(older, newer, info("C", "3", catalog.StateIncomplete)).child("README.txt").text())
	for _, want := range []string{
		"rsync -aHAX --inplace /mnt/b/latest/B/databases/ /restore/\n",
		"datfs --repo /repo restore B/2 --to /restore\n",
		"rsync -aHAX --inplace '/mnt/b/sets/B/2/databases/data/my db/IRIS.DAT' /restore/\n",
		"--only '/data/my db/IRIS.DAT'\n",
		"cd /mnt/b/latest/B && xxhsum -c SUMS.xxh64\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("README.txt does not say %q:\n%s", want, got)
		}
	}
	if got := string(treeOf().child("README.txt").text()); !strings.Contains(got, "no complete set yet") || strings.Contains(got, "rsync") {
		t.Errorf("README.txt of an empty repository:\n%s", got)
	}
}

func TestQuote(t *testing.T) {
	for _, s := range []string{"", "plain", "/a/b-c.d", "a b", "it's", "$HOME", "a\nb", "*", "é", "~"} {
		if got := run(t, "sh", "-c", "printf %s "+quote(s)); got != s {
			t.Errorf("the shell reads %s as %q, want %q", quote(s), got, s)
		}
	}
}

func TestParseMountInfo(t *testing.T) {
	tests := []struct {
		name, line string
		want       mountPoint
		ok         bool
	}{
		{"Plain", "36 35 0:57 / /mnt/b ro,nosuid - fuse.datfs datfs:/repo ro,user_id=0", mountPoint{"/mnt/b", "0:57", "fuse.datfs"}, true},
		{"OptionalFields", "36 35 8:1 / /mnt rw shared:1 master:2 - ext4 /dev/sda1 rw", mountPoint{"/mnt", "8:1", "ext4"}, true},
		{"Escapes", `36 35 0:57 / /mnt/a\040b\134c ro - fuse.datfs x ro`, mountPoint{`/mnt/a b\c`, "0:57", "fuse.datfs"}, true},
		{"BrokenEscape", `36 35 0:57 / /mnt/a\9 ro - fuse.datfs x ro`, mountPoint{`/mnt/a\9`, "0:57", "fuse.datfs"}, true},
		{"NoSeparator", "36 35 0:57 / /mnt/b ro", mountPoint{}, false},
		{"Empty", "", mountPoint{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseMountInfo(tt.line)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %+v, %v; want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	root := t.TempDir()
	sub := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		dir, root string
		want      bool
	}{
		{root, root, true},
		{sub, root, true},
		{root, sub, false},
		{sub, "/", true},
		{sub, filepath.Join(root, "a") + "/../a", true},
	}
	for _, tt := range tests {
		if got, err := within(tt.dir, tt.root); got != tt.want || err != nil {
			t.Errorf("within(%s, %s) = %v, %v; want %v", tt.dir, tt.root, got, err, tt.want)
		}
	}
}
