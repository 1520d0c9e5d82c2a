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
	shell    bool
	instance string // of a session
	lines    []string
}

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
	instance := ""
	for line := range strings.Lines(book) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case block != nil && line == "```":
			out, block = append(out, *block), nil
		case block != nil:
			block.lines = append(block.lines, line)
		case line == "```sh":
			block = &bookBlock{shell: true}
		case line == "```":
			block = &bookBlock{instance: instance}
		case strings.Contains(line, "`iris session "):
			_, words, _ := strings.Cut(line, "`iris session ")
			instance, _, _ = strings.Cut(words, " ")
		}
	}
	return out
}

// statements returns what a run-book has for sessions.
func statements(t *testing.T, book string) (lines []string) {
	t.Helper()
	for _, b := range blocks(t, book, "") {
		if !b.shell {
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
				if !b.shell && b.instance != "PRACTICE" && b.instance != other.inst.Name() {
					t.Errorf("a session of %q", b.instance)
				}
			}
		})
	}
}

// notAsExpected matches what a run-book says must not be answered.
var notAsExpected = regexp.MustCompile(`@@(ERR|JCHK\|[^1]|JRUN\|[^1]|(DM|MT|INT|JSEL)\|\d+\|0|REST\|-)`)

// follow does by hand what the blocks of a run-book say: those for a shell by bash,
// the others in sessions. The command that does all of it comes first, and is left
// out; then SET and WORK are set, SET to setDir if that is not "".
func (s *irisSite) follow(t *testing.T, list []bookBlock, setDir string) {
	t.Helper()
	needTool(t, "rsync")
	_, err := exec.LookPath("fuser")
	noFuser := err != nil
	vars := ""
	for i, b := range list[1:] {
		text := strings.Join(b.lines, "\n")
		cmd := s.command(t)
		env := cmd.Env
		switch {
		case i == 0:
			if vars = text; setDir != "" {
				vars += "\nSET=" + setDir
			}
			continue
		case b.shell && strings.HasPrefix(text, "fuser ") && noFuser:
			_, text, _ = strings.Cut(text, "\n")
			fallthrough
		case b.shell:
			first, rest, _ := strings.Cut(text, "\n")
			if strings.HasPrefix(first, "fuser ") { // which must find nobody
				text = "if " + first + "; then exit 1; fi\n" + rest
			}
			cmd = exec.CommandContext(t.Context(), "bash", "-euc", vars+"\n"+text)
		default:
			cmd = exec.CommandContext(t.Context(), "iris", "session", b.instance, "-U", "%SYS")
			cmd.Path = filepath.Join(s.dir, "bin/iris")
			cmd.Err = nil
			cmd.Stdin = strings.NewReader(text + "\nhalt\n")
		}
		cmd.Env = env
		r := finish(t, cmd)
		if r.code != 0 || notAsExpected.MatchString(r.stdout) {
			t.Fatalf("exit code %d of\n%s\n%s%s", r.code, text, r.stdout, r.stderr)
		}
	}
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
	s.follow(t, blocks(t, string(text), "## One database, or some, into the running instance"), "")
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
	s.follow(t, blocks(t, book.stdout, ""), dir)
	stage.dismount(t, to)
	s.fileHolds(t, "user", to+"IRIS.DAT", last)
}
