package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"datfs/dbback/practice"
)

// A bookBlock is a block of a run-book that is typed: into a shell, or into a
// session of an instance.
type bookBlock struct {
	lang    string // "sh"; "" for a session, "text" for one with -B
	session string // the command that opens it
	lines   []string
}

var (
	sessionCommand = regexp.MustCompile("`(iris (?:session|terminal) [^`]*)`")
	assignment     = regexp.MustCompile(`^([A-Z_]+)=(.*)$`)
)

// blocks returns the blocks of a run-book, or of the part of it that begins with a
// heading and goes up to the next one of its level.
func blocks(t *testing.T, book, heading string) (out []bookBlock) {
	t.Helper()
	if heading != "" {
		_, rest, ok := strings.Cut(book, "\n"+heading+"\n")
		if !ok {
			t.Fatalf("no %s in\n%s", heading, book)
		}
		book, _, _ = strings.Cut(rest, "\n## ")
	}
	var block *bookBlock
	session := ""
	for line := range strings.Lines(book) {
		line = strings.TrimSuffix(line, "\n")
		lang, fence := strings.CutPrefix(line, "```")
		switch m := sessionCommand.FindStringSubmatch(line); {
		case block != nil && fence:
			out, block = append(out, *block), nil
		case block != nil:
			block.lines = append(block.lines, line)
		case fence:
			block = &bookBlock{lang: lang, session: session}
		case m != nil:
			session = m[1]
		}
	}
	return out
}

// statements returns what a run-book has for sessions.
func statements(t *testing.T, book string) (lines []string) {
	t.Helper()
	for _, b := range blocks(t, book, "") {
		if b.lang == "" {
			lines = append(lines, b.lines...)
		}
	}
	return lines
}

// sent returns the statements that the newest restore of the site's repository has
// sent, by the transcript that is kept as a note of the set.
func (s *irisSite) sent(t *testing.T) (lines []string) {
	t.Helper()
	notes, err := filepath.Glob(filepath.Join(s.repo, "sets/PRACTICE/*.notes/*restore*txt*"))
	if err != nil || len(notes) == 0 {
		t.Fatalf("notes %v, %v", notes, err)
	}
	slices.SortFunc(notes, func(a, b string) int { return modified(t, a).Compare(modified(t, b)) })
	text, err := os.ReadFile(notes[len(notes)-1])
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "> ")
		if ok && line != "halt" && !strings.HasPrefix(line, `write !,"@@READY|"`) && !strings.HasPrefix(line, `write !,"@@NS|"`) {
			lines = append(lines, line)
		}
	}
	return lines
}

func modified(t *testing.T, path string) time.Time {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}

// sameStatements compares what a run-book says with what was sent.
func sameStatements(t *testing.T, book, sent []string) {
	t.Helper()
	for i := range max(len(book), len(sent)) {
		var a, b string
		if i < len(book) {
			a = book[i]
		}
		if i < len(sent) {
			b = sent[i]
		}
		if a != b {
			t.Errorf("statement %d of %d and %d\nin the run-book: %s\n           sent: %s", i+1, len(book), len(sent), a, b)
			return
		}
	}
	if len(sent) == 0 {
		t.Error("nothing was sent")
	}
}

// A run-book has, for each way back, the very statements that the command sends
// with the same flags.
func TestRestore_BookIsSent(t *testing.T) {
	long(t)
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadLight})
	s.backup(t, 0)
	set := s.set(t)
	ended := s.switchJournal(t)
	s.archive(t, 0)
	wholeSecond()
	until := time.Now().Format(time.DateTime)
	work := filepath.Join(t.TempDir(), "work")
	other := s.another(t, "OTHER")
	for _, flags := range [][]string{
		{"--database", "USER", "--instance", "PRACTICE"},
		{"--database", "USER", "--database", "APP", "--instance", "PRACTICE", "--no-journals"},
		{"--database", "APP", "--until", until, "--instance", "PRACTICE"},
		{"--to", filepath.Join(t.TempDir(), "to"), "--instance", "PRACTICE"},
		{"--redirect", "USER=" + filepath.Join(t.TempDir(), "a dir"), "--define", "--instance", "OTHER"},
		{"--redirect", "APP=" + filepath.Join(t.TempDir(), "app"), "--until", until, "--instance", "OTHER"},
		{"--all", "--instance", "PRACTICE", "--second-instance", "OTHER"},
	} {
		t.Run(strings.NewReplacer("/", "-", " ", "").Replace(flags[0]+flags[len(flags)-2]), func(t *testing.T) {
			flags := append([]string{set, "--work-dir", work}, flags...)
			if flags[3] == "--all" {
				if err := s.inst.Stop(); err != nil {
					t.Fatal(err)
				}
				s.ends(t)
				// What the instance wrote after the archive is not in a run-book, which
				// says so: datfs looks for it.
				all, err := filepath.Glob(s.journal("*"))
				if err != nil {
					t.Fatal(err)
				}
				list := filepath.Join(s.dir, "mgr/journal.log")
				log, err := os.ReadFile(list)
				if err != nil {
					t.Fatal(err)
				}
				for _, path := range all {
					if plain := strings.TrimSuffix(path, "z"); plain > ended {
						log = bytes.ReplaceAll(log, []byte(plain+"\n"), nil)
						if err := os.Remove(path); err != nil {
							t.Fatal(err)
						}
					}
				}
				if err := os.WriteFile(list, log, 0o660); err != nil {
					t.Fatal(err)
				}
			}
			book := s.datfs(t, append([]string{"runbook"}, flags...)...)
			if book.code != 0 {
				t.Fatalf("runbook: exit code %d\n%s", book.code, book.stderr)
			}
			if ja := s.datfs(t, append([]string{"runbook", "--lang", "ja"}, flags...)...); !slices.Equal(statements(t, ja.stdout), statements(t, book.stdout)) {
				t.Errorf("the Japanese one has other statements:\n%s%s", ja.stdout, ja.stderr)
			}
			s.restored(t, flags...)
			sameStatements(t, statements(t, book.stdout), s.sent(t))
			for _, b := range blocks(t, book.stdout, "") {
				if name := strings.Fields(b.session); b.lang == "" && name[2] != "PRACTICE" && name[2] != other.inst.Name() {
					t.Errorf("a session of %q", b.session)
				}
			}
		})
	}
}

// notAsExpected matches what a run-book says must not be answered.
var notAsExpected = regexp.MustCompile(`@@(ERR|JCHK\|[^1]|JRUN\|[^1]|(DM|MT|INT|JSEL)\|\d+\|0|REST\|-)`)

// A reader does by hand what the blocks of a run-book say: those for a shell by
// bash, pasted as a whole, the others in sessions.
type reader struct {
	s    *irisSite
	vars string            // what was set in the shell
	fill map[string]string // what the book leaves to its reader

	emergency bool // the instance was started with EmergencyId: it asks for the user
	sturecov  bool // it did not come fully up, and ^STURECOV was done
}

func (s *irisSite) reader(fill map[string]string) *reader { return &reader{s: s, fill: fill} }

// follow takes the blocks one after the other, but for the command that does all
// of it. Each must end as the book says.
func (r *reader) follow(t *testing.T, list []bookBlock) {
	t.Helper()
	needTool(t, "rsync")
	start := -1
	for i, b := range list {
		text := strings.Join(b.lines, "\n")
		switch {
		case b.lang == "sh" && strings.HasPrefix(text, "datfs "):
		case b.lang == "sh" && assignment.MatchString(b.lines[0]):
			r.set(t, b.lines)
		case b.lang == "sh" && strings.Contains(text, "EmergencyId="):
			start, r.emergency = i, true
			r.sturecov = !r.pasted(t, text)
		case b.lang == "sh":
			if strings.Contains(text, "iris start ") {
				r.emergency = false
			}
			if !r.pasted(t, text) {
				t.Fatalf("no OK of\n%s", text)
			}
		case b.lang == "text" && r.sturecov:
			out := r.typed(t, b.session, text+"\n8\n9\n\nhalt\n")
			if !strings.Contains(out, "The journal is not restored at the next startup") {
				t.Fatalf("%s:\n%s", text, out)
			}
			r.s.iris(t, "", "stop", "PRACTICE", "quietly") // as 9 says
			if again := strings.Join(list[start].lines, "\n"); !r.pasted(t, again) {
				t.Fatalf("no OK, after ^STURECOV too, of\n%s", again)
			}
		case b.lang == "":
			login := ""
			if r.emergency {
				login = r.fill["EMERGENCY_USER"] + "\n" + r.fill["EMERGENCY_PASSWORD"] + "\n"
			}
			if out := r.typed(t, b.session, login+text+"\nhalt\n"); notAsExpected.MatchString(out) {
				t.Fatalf("%s:\n%s", text, out)
			}
		}
	}
}

// set takes a block that sets variables, and fills in what it leaves empty.
func (r *reader) set(t *testing.T, lines []string) {
	t.Helper()
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		if value == "" {
			if value = r.fill[name]; value == "" {
				t.Fatalf("the book leaves %s to its reader", name)
			}
		}
		r.vars += name + "=" + value + "\n"
	}
}

// pasted pastes a block, and returns whether its last line was OK.
func (r *reader) pasted(t *testing.T, text string) bool {
	t.Helper()
	if _, err := exec.LookPath("fuser"); err != nil {
		text = regexp.MustCompile(`(?m)^(command -v|if) fuser .*\n`).ReplaceAllString(text, "")
	}
	env := r.s.command(t).Env
	cmd := exec.CommandContext(t.Context(), "bash")
	cmd.Env, cmd.Stdin = env, strings.NewReader(r.vars+text+"\n")
	got := finish(t, cmd)
	ok := strings.HasSuffix(got.stdout, "OK\n")
	if !ok {
		t.Logf("no OK of\n%s\n%s%s", text, got.stdout, got.stderr)
	}
	return ok
}

// typed types into a session.
func (r *reader) typed(t *testing.T, session, text string) string {
	t.Helper()
	env := r.s.command(t).Env
	cmd := exec.CommandContext(t.Context(), "bash", "-c", r.vars+session)
	cmd.Env, cmd.Stdin = env, strings.NewReader(text)
	got := finish(t, cmd)
	if got.code != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", session, got.code, got.stdout, got.stderr)
	}
	return got.stdout
}

// A person who follows a run-book comes to the same as the command: RESTORE.md of
// the mount, for databases of a running instance, and one for another instance.
func TestRestore_BookByHand(t *testing.T) {
	t.Parallel()
	s := newSite(t, practice.StartOptions{Load: practice.LoadHeavy})
	s.backup(t, 0, slowly...)
	set := s.set(t)
	stage := s.another(t, "STAGE")
	mnt := mount(t, s.repo)
	dir := filepath.Join(mnt, "sets", set)

	for _, name := range []string{"RESTORE.md", "RESTORE.ja.md"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "\nSET="+dir+"\n"); n != 3 {
			t.Errorf("%s names the set's directory %d times", name, n)
		}
		for _, want := range []string{s.dat("user"), s.database("app"), filepath.Base(s.newest(t).Method.Journal.Required)} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s says nothing of %s", name, want)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "RESTORE.md"))
	if err != nil {
		t.Fatal(err)
	}
	s.lose(t, "user", "app")
	if err := s.inst.SetLoad(t.Context(), practice.LoadNone); err != nil {
		t.Fatal(err)
	}
	s.reader(nil).follow(t, blocks(t, string(text), "## One database, or some, into the running instance"))
	s.holds(t, "user", "")
	s.holds(t, "app", "")

	// Beyond the set, with what was archived since.
	if err := s.inst.SetLoad(t.Context(), practice.LoadLight); err != nil {
		t.Fatal(err)
	}
	s.wait(t, "more is done", func(st *practice.Status) bool { return st.Journal.Offset > 20<<10 })
	last := filepath.Base(s.switchJournal(t))
	s.archive(t, 0)
	to := filepath.Join(t.TempDir(), "to") + "/"
	book := s.datfs(t, "runbook", set, "--redirect", "USER="+to, "--instance", "STAGE", "--work-dir", filepath.Join(t.TempDir(), "work"))
	if book.code != 0 {
		t.Fatalf("runbook: exit code %d\n%s", book.code, book.stderr)
	}
	if !strings.Contains(book.stdout, "\nSET="+dir+"\n") || !strings.Contains(book.stdout, "\ndatfs --repo "+s.repo+" restore iris ") {
		t.Errorf("it does not name the mount %s and the repository:\n%s", mnt, book.stdout)
	}
	s.reader(nil).follow(t, blocks(t, book.stdout, ""))
	stage.dismount(t, to)
	s.fileHolds(t, "user", to+"IRIS.DAT", last)
}

// Everything by hand: the instance has crashed in the middle of a write daemon's
// cycle, its databases are lost, and its WIJ would be written into what is
// restored. RESTORE.md goes to the end of the set; with the archive it goes on.
func TestRestore_BookEverything(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, heading string
		sturecov      bool // the start does not come fully up
	}{
		{"RESTORE.md", "## Everything, while the instance is down", true},
		{"RESTORE.ja.md", "## インスタンスを停止した状態で、すべてを戻す", false},
		{"archive", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, practice.StartOptions{Load: practice.LoadHeavy})
			s.backup(t, 0, slowly...)
			set, info := s.set(t), s.newest(t)
			last := filepath.Base(info.Method.Journal.Marker)
			s.wait(t, "more is done", func(st *practice.Status) bool { return st.Journal.Offset > 100<<10 })
			if tt.heading == "" {
				last = filepath.Base(s.switchJournal(t))
				s.archive(t, 0)
				s.wait(t, "more is done", func(st *practice.Status) bool { return st.Journal.Offset > 20<<10 })
			}
			mnt := mount(t, s.repo)
			s.crash(t)
			garble(t, s.dat(""))
			garble(t, s.dat("app"))
			if err := os.Remove(s.dat("user")); err != nil {
				t.Fatal(err)
			}
			s.another(t, "HELPER")
			s.ends(t)
			if tt.sturecov {
				r, err := practice.At(s.dir)
				if err == nil {
					err = r.Fail(t.Context(), "sturecov")
				}
				if err != nil {
					t.Fatal(err)
				}
			}

			work := t.TempDir()
			book := ""
			if tt.heading == "" {
				book = s.datfs(t, "runbook", set, "--all", "--instance", "PRACTICE", "--second-instance", "HELPER", "--work-dir", work).stdout
			} else {
				text, err := os.ReadFile(filepath.Join(mnt, "sets", set, tt.name))
				if err != nil {
					t.Fatal(err)
				}
				book = strings.ReplaceAll(string(text), "/var/tmp/datfs/", work+"/") // that is everybody's
			}
			r := s.reader(map[string]string{"SECOND": "HELPER", "EMERGENCY_USER": "me", "EMERGENCY_PASSWORD": "s3cret"})
			r.follow(t, blocks(t, book, tt.heading))
			if r.sturecov != tt.sturecov {
				t.Errorf("^STURECOV was done: %v", r.sturecov)
			}
			s.isUp(t, last)
		})
	}
}
