package restore

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// RunBook returns the plan as a text for people, in Markdown: with the one command
// of datfs, and by hand. lang is English or Japanese.
func (p *Plan) RunBook(lang string) string {
	b := &book{lang: lang, p: p}
	b.head()
	b.way(2)
	b.after([]*Plan{p})
	return b.String()
}

// A book is a run-book that is being written.
type book struct {
	strings.Builder
	lang     string
	p        *Plan
	commands []string // for a shell, not written yet: those in a row make one block
}

func (b *book) line(format string, args ...any) {
	b.endShell()
	fmt.Fprintf(b, format+"\n", args...)
}

// endShell ends a block of commands: what comes then is not pasted with them.
func (b *book) endShell() {
	if commands := b.commands; len(commands) > 0 {
		b.commands = nil
		b.line("```sh\n%s\n```\n", strings.Join(commands, "\n"))
	}
}

func (b *book) say(key string, args ...any) { b.line("%s\n", say(b.lang, key, args...)) }

// title is the beginning of a book: what the set is, and what is to be known of it.
func (b *book) head() {
	p, info := b.p, b.p.Set
	b.line("# %s\n", say(b.lang, "title", info.SetName()))
	b.say("generated")
	b.say("unverified")
	b.line("## %s\n", say(b.lang, "facts"))
	b.line("| | |\n|---|---|")
	fact := func(key, value string) {
		if value != "" {
			b.line("| %s | %s |", say(b.lang, "fact."+key), cell(value))
		}
	}
	fact("product", info.Method.ProductVersion)
	fact("host", info.Host)
	fact("manager", p.manager())
	fact("time", info.Time.Format("2006-01-02 15:04:05 UTC"))
	fact("inc", strings.Join(info.Method.Incrementals, ", "))
	if j := info.Method.Journal; j != nil {
		fact("first", j.Required)
		fact("offset", fmt.Sprintf("%d, %s", j.Offset, j.Marker))
	}
	b.line("")
	b.line("%s\n", validatedText(info, b.lang))
	b.say("dirty")
	b.warnings(info)
}

// warnings say what is special about databases of the set.
func (b *book) warnings(info *catalog.SetInfo) {
	list := func(key string, is func(catalog.Database) bool) {
		var found []catalog.Database
		for _, db := range info.Method.Databases {
			if is(db) {
				found = append(found, db)
			}
		}
		if len(found) > 0 {
			b.say(key, names(found))
		}
	}
	list("encrypted", func(db catalog.Database) bool { return db.Encrypted })
	list("mirrored", func(db catalog.Database) bool { return db.Mirror != "" })
	list("unjournaled", func(db catalog.Database) bool { return !db.Journaled })
	if len(info.Problems) > 0 {
		b.say("problems")
		for _, problem := range info.Problems {
			b.line("* %s", session.Printable(problem.String()))
		}
		b.line("")
	}
}

// way writes one way: the command, then its steps by hand.
func (b *book) way(level int) {
	p := b.p
	mark := strings.Repeat("#", level)
	b.line("\n%s %s\n", mark, say(b.lang, "way."+string(p.Way)))
	switch p.Way {
	case WayEverything:
		b.say("why.everything")
	default:
		b.say("why."+string(p.Way), shellWord(p.Set.SetName().String()))
	}
	if i := slices.IndexFunc(p.Set.Method.Databases, isSystem); i >= 0 && p.Way == WayDatabases {
		b.say("system", p.Set.Method.Databases[i].Name, shellWord(p.Set.SetName().String()))
	}
	b.line("%s\n|---|---|---|---|", say(b.lang, "table"))
	for i, db := range p.Databases {
		b.line("| %d | %s | `%s` | `%s` |", i, cell(db.Name), cell(db.Directory), cell(db.To))
	}
	b.line("")
	b.reach()
	b.line("%s\n\n```sh\n%s\n```\n", say(b.lang, "command"), p.Command())
	b.line("%s %s\n", say(b.lang, "byhand"), say(b.lang, "stop"))
	b.line("%s\n\n```sh\nSET=%s\nWORK=%s\n```\n", say(b.lang, "setdir"), shellWord(p.setDir()), shellWord(p.Work))
	for i, step := range p.steps {
		b.line("%s# %d. %s\n", mark, i+1, say(b.lang, "step."+step.name))
		b.say("why." + step.name)
		for _, a := range step.acts {
			a.show(b)
		}
		if _, ok := texts["expect."+step.name]; ok {
			b.line("%s%s\n", say(b.lang, "expect"), say(b.lang, "expect."+step.name))
		}
		b.line("%s%s%s\n", say(b.lang, "otherwise"), say(b.lang, "state."+step.name), say(b.lang, "stop.mark"))
	}
}

// reach says to which moment the journals bring the databases.
func (b *book) reach() {
	j := &b.p.journals
	if j.none {
		return
	}
	last, to := say(b.lang, "fact.current"), say(b.lang, "fact.now")
	if j.last != "" {
		last, to = j.last, stamp(j.reaches)
	}
	for _, f := range [][2]string{{"first", j.first}, {"last", last}, {"reaches", to}} {
		b.line("* %s: %s", say(b.lang, "fact."+f[0]), f[1])
	}
	b.line("")
	if text := b.p.gapText(b.lang); text != "" {
		b.line("%s\n", text)
	}
	if text := b.p.UntilText(b.lang); text != "" {
		b.line("%s\n", text)
	}
}

// UntilText says which boundary of journal files is the nearest to the time that
// was asked for; "" if none was.
func (p *Plan) UntilText(lang string) string {
	j := &p.journals
	if p.opts.Until.IsZero() || j.none {
		return ""
	}
	s := say(lang, "until", stamp(p.opts.Until), j.last, stamp(j.reaches))
	if j.next != nil {
		s += say(lang, "until.next", j.next.name, stamp(j.next.wrote))
	}
	return s
}

// after says what is to be done when the databases are back, by one of the plans.
func (b *book) after(plans []*Plan) {
	b.line("## %s\n", say(b.lang, "after"))
	b.say("after.text")
	if !slices.ContainsFunc(plans, func(p *Plan) bool { return p.Way == WayEverything }) {
		return
	}
	b.say("after.wij")
	if slices.ContainsFunc(b.p.Set.Method.Databases, func(db catalog.Database) bool { return db.Mirror != "" }) {
		b.say("after.mirror")
	}
}

// shell adds commands for a shell.
func (b *book) shell(lines ...string) { b.commands = append(b.commands, lines...) }

// work returns a path in the work directory as a word for the shell.
func (b *book) work(path string) string {
	if rest, ok := strings.CutPrefix(path, b.p.Work); ok {
		if rest == "" {
			return `"$WORK"`
		}
		return `"$WORK"` + shellWord(rest)
	}
	return shellWord(path)
}

// terminal adds statements for a session of the plan's instance.
func (b *book) terminal(statements []string) { b.terminalOf(b.p.Instance, statements) }

func (b *book) terminalOf(instance string, statements []string) {
	session := "iris session"
	if b.p.cacheNames() {
		session = "csession"
	}
	b.line("%s\n\n```\n%s\n```\n", say(b.lang, "terminal", session+" "+shellWord(instance)+" -U %SYS"), strings.Join(statements, "\n"))
}

// file adds a file that is to be written.
func (b *book) file(path, content string) {
	b.line("%s\n\n```sh\ncat > %s <<'END'\n%sEND\n```\n", say(b.lang, "file"), b.work(path), content)
}

// newDir returns the command that makes a directory which the instance can write
// to: it makes a lock file there when it mounts a database.
func (b *book) newDir(dir string) string {
	user, group := b.owner()
	return fmt.Sprintf("install -d -m 770 -o %s -g %s %s", user, group, b.work(strings.TrimSuffix(dir, "/")))
}

// own returns the command that gives a file to the instance.
func (b *book) own(path string) string {
	user, group := b.owner()
	return fmt.Sprintf("chown -R %s:%s %s", user, group, b.work(path))
}

// share returns the command that lets the instance read and write in the work
// directory, whatever the umask.
func (b *book) share() string { return "chmod -R ug+rwX " + b.work(b.p.Work) }

// owner returns who the instance's files belong to, as words for the shell: names
// of the installation, or else the numbers of a database.
func (b *book) owner() (user, group string) {
	facts := b.p.Set.Method.Facts
	for _, product := range []string{"iris", "cache"} {
		if user, group := facts["installation "+product+" user"], facts["installation "+product+" group"]; user != "" && group != "" {
			return shellWord(user), shellWord(group)
		}
	}
	if i := slices.IndexFunc(b.p.Set.Files, func(f catalog.FileInfo) bool { return f.Section == catalog.SectionDatabases }); i >= 0 {
		return fmt.Sprint(b.p.Set.Files[i].UID), fmt.Sprint(b.p.Set.Files[i].GID)
	}
	return "OWNER", "GROUP"
}

// setDir returns where the set is in a mount.
func (p *Plan) setDir() string {
	if p.opts.SetDir != "" {
		return p.opts.SetDir
	}
	return filepath.Join("/mnt/datfs/sets", p.Set.Instance, p.Set.Name)
}

// Command returns the command of datfs that does what the plan says.
func (p *Plan) Command() string {
	words := []string{"datfs", "restore", "iris", shellWord(p.Set.SetName().String())}
	switch p.Way {
	case WayEverything:
		words = append(words, "--all", "--instance", shellWord(p.Target), "--second-instance", shellWord(p.Instance))
	default:
		for _, db := range p.Databases {
			words = append(words, "--database", shellWord(db.Name))
			if db.redirected && (p.opts.To == "" || db.To != session.Slashed(filepath.Join(p.opts.To, db.Directory))) {
				words = append(words, "--redirect", shellWord(db.Name+"="+db.To))
			}
		}
		if p.opts.To != "" {
			words = append(words, "--to", shellWord(p.opts.To))
		}
		words = append(words, "--instance", shellWord(p.Instance))
	}
	if !p.opts.Until.IsZero() {
		words = append(words, "--until", shellWord(stamp(p.opts.Until)))
	}
	if p.journals.none {
		words = append(words, "--no-journals")
	}
	if p.opts.Define {
		words = append(words, "--define")
	}
	return strings.Join(words, " ")
}

// Statements returns all that the plan tells sessions, in order.
func (p *Plan) Statements() (out []string) {
	for _, step := range p.steps {
		for _, a := range step.acts {
			if t, ok := a.(telling); ok {
				out = append(out, t.tells()...)
			}
		}
	}
	return out
}

// cell makes a text fit into a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(session.Printable(s))
}

// shellWord quotes a word for a shell where it needs it.
func shellWord(s string) string { return dbback.ShellWord(s) }

func shellWords(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, shellWord(w))
	}
	return strings.Join(out, " ")
}
