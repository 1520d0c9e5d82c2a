package restore

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"datfs/catalog"
)

// stepNames returns the constants of steps, as the source has them.
func stepNames(t *testing.T) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "steps.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "step") && len(v.Values) == 1 {
			names = append(names, strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	if len(names) < 15 {
		t.Fatalf("steps %q", names)
	}
	return names
}

var (
	reVerb     = regexp.MustCompile(`%(\[\d+\])?[a-zA-Z]`)
	reCode     = regexp.MustCompile("`[^`]*`")
	reEnglish  = regexp.MustCompile(`[A-Za-z]+[,;:]? [A-Za-z]+[,;:]? [A-Za-z]+`)
	reJapanese = regexp.MustCompile(`[\p{Hiragana}\p{Katakana}\p{Han}]`)
)

func TestTexts_Languages(t *testing.T) {
	for key, text := range texts {
		if strings.TrimSpace(text[0]) == "" || strings.TrimSpace(text[1]) == "" {
			t.Errorf("%s lacks a language: %q", key, text)
		}
		if en, ja := reVerb.FindAllString(text[0], -1), reVerb.FindAllString(text[1], -1); !slices.Equal(en, ja) {
			t.Errorf("%s: verbs %q in English, %q in Japanese", key, en, ja)
		}
		if en, ja := reCode.FindAllString(text[0], -1), reCode.FindAllString(text[1], -1); len(en) != len(ja) {
			t.Errorf("%s: %d pieces of code in English, %d in Japanese", key, len(en), len(ja))
		}
		if m := reEnglish.FindString(reCode.ReplaceAllString(text[1], "")); m != "" {
			t.Errorf("%s: the Japanese text has %q", key, m)
		}
		if reJapanese.MatchString(text[0]) {
			t.Errorf("%s: the English text has Japanese", key)
		}
		if !reJapanese.MatchString(text[1]) && key != "stop.mark" {
			t.Errorf("%s: the Japanese text %q is none", key, text[1])
		}
		if key != "table" && strings.ContainsAny(strings.Join(text[:], ""), "\r\n|") && !strings.HasPrefix(key, "expect.") {
			t.Errorf("%s: a line feed or a bar would break the text", key)
		}
	}
	if got := say(English, "no such key"); got != "no such key" {
		t.Errorf("a key that there is not: %q", got)
	}
}

// Every step says what it does, why, and what a failure within it means; and one
// that tells a session something, what must be answered.
func TestTexts_Steps(t *testing.T) {
	told := make(map[string]bool)
	for _, tt := range goldens {
		info := madeSet()
		if tt.change != nil {
			tt.change(info)
		}
		for _, step := range mustPlan(t, info, tt.opts).steps {
			for _, a := range step.acts {
				if act, ok := a.(telling); ok && len(act.tells()) > 0 {
					told[step.name] = true
				}
			}
		}
	}
	has := func(key string) bool { _, ok := texts[key]; return ok }
	for _, step := range stepNames(t) {
		for _, prefix := range []string{"step.", "why.", "state."} {
			if !has(prefix + step) {
				t.Errorf("there is no text %s%s", prefix, step)
			}
		}
		if has("expect."+step) != told[step] {
			t.Errorf("step %s: tells a session something: %v, says what must be answered: %v", step, told[step], has("expect."+step))
		}
	}
	for _, way := range []Way{WayDatabases, WayEverything, WayElsewhere} {
		for _, prefix := range []string{"way.", "why."} {
			if !has(prefix + string(way)) {
				t.Errorf("there is no text %s%s", prefix, way)
			}
		}
	}
}

func TestTexts_Used(t *testing.T) {
	known := make(map[string]bool)
	for _, step := range stepNames(t) {
		for _, prefix := range []string{"step.", "why.", "state.", "expect."} {
			known[prefix+step] = true
		}
	}
	for _, way := range []Way{WayDatabases, WayEverything, WayElsewhere} {
		known["way."+string(way)], known["why."+string(way)] = true, true
	}
	var source strings.Builder
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if path == "runbooktext.go" || strings.HasSuffix(path, "_test.go") {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	for key := range texts {
		fact, isFact := strings.CutPrefix(key, "fact.")
		used := strings.Contains(source.String(), `, "`+key+`"`) || strings.Contains(source.String(), `say("`+key+`"`) || strings.Contains(source.String(), `english("`+key+`"`) ||
			strings.Contains(source.String(), `list("`+key+`"`) || isFact && (strings.Contains(source.String(), `fact("`+fact+`"`) || strings.Contains(source.String(), `{"`+fact+`", `))
		if !used && !known[key] {
			t.Errorf("nothing says %s", key)
		}
	}
}

// book returns a run-book of a golden plan.
func goldenBook(t *testing.T, i int, lang string) (*Plan, string) {
	t.Helper()
	info := madeSet()
	if goldens[i].change != nil {
		goldens[i].change(info)
	}
	p := mustPlan(t, info, goldens[i].opts)
	return p, p.RunBook(lang)
}

func TestRunBook_Golden(t *testing.T) {
	inUTC(t)
	for i, tt := range goldens {
		for _, lang := range []string{English, Japanese} {
			t.Run(tt.name+"."+lang, func(t *testing.T) {
				_, text := goldenBook(t, i, lang)
				golden(t, "runbook/"+tt.name+"."+lang+".md", text)
			})
		}
	}
	special := madeSet(func(info *catalog.SetInfo) {
		info.Method.Databases[1].Encrypted, info.Method.Databases[2].Mirror, info.Method.Databases[2].Journaled = true, "APP", false
		info.Problems = []catalog.Problem{{Error: "the journal could not be switched"}}
		delete(info.Method.Facts, "installation iris user")
	})
	for _, lang := range []string{English, Japanese} {
		golden(t, "runbook/set."+lang+".md", SetBook(special, lang, BookPlace{"/mnt/b/sets/PROD/2026-11-22T03-00-00Z", "datfs --repo /backup/repo"}))
	}
}

// blocks returns the fenced blocks of a Markdown text, by their language.
func blocks(text string) map[string][]string {
	out := make(map[string][]string)
	parts := strings.Split("\n"+text, "\n```")
	for i := 1; i+1 < len(parts); i += 2 {
		lang, content, _ := strings.Cut(parts[i], "\n")
		out[lang] = append(out[lang], content)
	}
	return out
}

// What is printed is what is run: the blocks for terminals hold the plan's
// statements, all of them and no others, and the list of directories.
func TestRunBook_IsThePlan(t *testing.T) {
	for i, tt := range goldens {
		for _, lang := range []string{English, Japanese} {
			p, text := goldenBook(t, i, lang)
			b := blocks(text)
			told := strings.Split(strings.Join(b[""], "\n"), "\n")
			if !slices.Equal(told, p.Statements()) {
				t.Errorf("%s, %s: terminals are told\n%s\nwant\n%s", tt.name, lang, strings.Join(told, "\n"), strings.Join(p.Statements(), "\n"))
			}
			if shell := strings.Join(b["sh"], "\n"); !strings.Contains(shell, "<<'END'\n"+dirList(p.Databases)+"END") {
				t.Errorf("%s, %s: the list of directories is not in\n%s", tt.name, lang, shell)
			}
			if !strings.Contains(text, "\n"+p.Command()+"\n") {
				t.Errorf("%s, %s: the command %s is not there", tt.name, lang, p.Command())
			}
		}
	}
	// The same blocks in both languages.
	for i, tt := range goldens {
		_, en := goldenBook(t, i, English)
		_, ja := goldenBook(t, i, Japanese)
		if fmt.Sprint(blocks(en)) != fmt.Sprint(blocks(ja)) {
			t.Errorf("%s: the languages have different commands", tt.name)
		}
	}
}

func TestRunBook_ShellSyntax(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	texts := []string{SetBook(madeSet(strange), English, BookPlace{SetDir: "/mnt/my set/it's"})}
	for i := range goldens {
		_, text := goldenBook(t, i, Japanese)
		texts = append(texts, text)
	}
	for _, text := range texts {
		shell := blocks(text)["sh"]
		if len(shell) < 5 {
			t.Fatalf("only %d blocks for a shell in\n%s", len(shell), text)
		}
		for _, block := range shell {
			cmd := exec.Command(bash, "-n")
			cmd.Stdin = strings.NewReader(block + "\n")
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v: %s\nof\n%s", err, out, block)
			}
		}
	}
}

// Words come out of a shell as they went in.
func TestShellWord(t *testing.T) {
	words := []string{"/usr/irissys/mgr/user/", "it's", "a b", "$HOME `x`", `b\c"d`, "", "~", "顧客", "-n", "a\nb", "*", "x=y", "a,b@c:d%e+f"}
	out, err := exec.Command("sh", "-c", `printf '%s\0' `+shellWords(words)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, words) {
		t.Errorf("%q, want %q", got, words)
	}
}

func TestPlan_Command(t *testing.T) {
	inUTC(t)
	const begin = "datfs restore iris PROD/2026-11-22T03-00-00Z "
	tests := []struct {
		opts Options
		want string
	}{
		{Options{Databases: []string{"user"}}, "--database USER --instance PROD"},
		{Options{Databases: []string{"USER", "APP"}, Instance: "IRIS", Until: at("10:00:00")}, "--database USER --database APP --instance IRIS --until 2026-11-22T10:00:00Z"},
		{Options{Everything: true, Target: "IRIS", Instance: "REST", NoJournals: true}, "--all --instance IRIS --second-instance REST --no-journals"},
		{Options{Databases: []string{"USER"}, To: "/my r"}, "--database USER --to '/my r' --instance PROD"},
		{Options{Redirect: map[string]string{"USER": "/my u", "APP": "/a"}, Define: true}, "--database USER --redirect 'USER=/my u/' --database APP --redirect APP=/a/ --instance PROD --define"},
		{
			Options{Databases: []string{"USER", "APP"}, To: "/r", Redirect: map[string]string{"APP": "/a"}},
			"--database USER --database APP --redirect APP=/a/ --to /r --instance PROD",
		},
	}
	for _, tt := range tests {
		if got := mustPlan(t, madeSet(), tt.opts).Command(); got != begin+tt.want {
			t.Errorf("%s\nwant\n%s%s", got, begin, tt.want)
		}
	}
}

func TestSetBook(t *testing.T) {
	const dir = "/mnt/b/sets/PROD/2026-11-22T03-00-00Z"
	text := SetBook(madeSet(), English, BookPlace{SetDir: dir})
	for _, way := range []Way{WayDatabases, WayEverything, WayElsewhere} {
		if n := strings.Count(text, "\n## "+english("way."+string(way))+"\n"); n != 1 {
			t.Errorf("%s is there %d times", way, n)
		}
	}
	if !strings.Contains(text, "SET="+dir+"\n") || !strings.Contains(text, english("after.wij")) {
		t.Error("the set's directory or what to do with the WIJ is not there")
	}
	// Nothing that works, or does harm, before its reader has filled it in.
	for _, want := range []string{"\nSECOND=\n", "\nEMERGENCY_USER=\nEMERGENCY_PASSWORD=\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing leaves %q to the reader", want)
		}
	}
	if n := strings.Count(text, `"$SET"/../../../journals/PROD`); n < 6 {
		t.Errorf("the archive is named %d times", n)
	}
	if !strings.Contains(SetBook(madeSet(), Japanese, BookPlace{}), "\nMOUNT=\nSET=\"${MOUNT:?}\"/sets/PROD/2026-11-22T03-00-00Z\n") {
		t.Error("without a mount the book does not ask for one")
	}
	if text := SetBook(madeSet(), English, BookPlace{dir, "datfs --repo '/a b'"}); strings.Count(text, "\ndatfs --repo '/a b' restore iris ") != 3 || strings.Contains(text, "`datfs runbook") {
		t.Error("a command does not name the repository")
	}
	// Where to go on is what the command does.
	for _, way := range []Options{{Databases: []string{"USER"}}, {Everything: true}} {
		p := mustPlan(t, madeSet(), way)
		for _, step := range p.steps {
			text := (&book{lang: English, p: p}).goOn(step)
			if step.again != step.name && !strings.HasSuffix(text, fmt.Sprintf("go back to step %d.", p.number(step.again))) || p.steps[p.number(step.again)-1].name != step.again {
				t.Errorf("%s, step %s: %q, want %s", p.Way, step.name, text, step.again)
			}
		}
	}
	for name, change := range map[string]func(*catalog.SetInfo){
		"incomplete": func(i *catalog.SetInfo) { i.State = catalog.StateIncomplete },
		"files":      func(i *catalog.SetInfo) { i.Engine, i.Method = "files", nil },
	} {
		if text := SetBook(madeSet(change), English, BookPlace{SetDir: dir}); text != "" {
			t.Errorf("%s: a set that cannot be restored has the run-book\n%s", name, text)
		}
	}
	// A way that cannot be gone is left out.
	text = SetBook(madeSet(func(i *catalog.SetInfo) {
		i.Method.Databases[2].Paths[1], i.Files[3].Path = "/more/app/IRIS-0001.VOL", "/more/app/IRIS-0001.VOL"
		delete(i.Method.Facts, "manager directory")
	}), Japanese, BookPlace{})
	if strings.Contains(text, "## "+texts["way.elsewhere"][1]) || strings.Contains(text, "## "+texts["way.everything"][1]) || strings.Contains(text, texts["after.wij"][1]) ||
		!strings.Contains(text, "## "+texts["way.databases"][1]) {
		t.Errorf("ways of a set of which only databases can be put back:\n%s", text)
	}
}

// A database that cannot be restored does not take the others' run-book away.
func TestSetBook_Comma(t *testing.T) {
	comma := moveDatabase("APP", "/data/a,b/")
	text := SetBook(madeSet(comma), English, BookPlace{})
	for _, want := range []string{
		"as they cannot be restored: APP. ", "\n## " + english("way.databases") + "\n", "\n## " + english("way.elsewhere") + "\n", "--database USER",
		"\n* " + english("way.everything") + ": not with this set: not restored: the directory of APP has a comma",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "--database APP") || NoBook(madeSet(comma)) != nil {
		t.Errorf("APP is in it: %v\n%s", NoBook(madeSet(comma)), text)
	}
	err := NoBook(madeSet(comma, moveDatabase("USER", "/data/a\"b/")))
	if err == nil || !strings.Contains(err.Error(), "has a comma, a quote or a control character") {
		t.Errorf("none can be restored: %v", err)
	}
	err = NoBook(madeSet(func(i *catalog.SetInfo) { i.State = catalog.StateIncomplete }))
	if err == nil || strings.Count(err.Error(), "is incomplete") != 1 {
		t.Errorf("an incomplete set: %v", err)
	}
}
