package restore

import (
	"cmp"
	"fmt"
	"path"
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
	all      bool     // it has all ways, and was made without a look at the archive
	commands []string // for a shell, not written yet: those in a row make one block
}

func (b *book) line(format string, args ...any) {
	b.endShell()
	fmt.Fprintf(b, format+"\n", args...)
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
	fact("time", stamp(info.Time))
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
	set := shellWord(p.Set.SetName().String())
	switch p.Way {
	case WayEverything:
		b.say("why.everything")
	default:
		b.say("why."+string(p.Way), p.datfs(), set)
	}
	if i := slices.IndexFunc(p.Set.Method.Databases, isSystem); i >= 0 && p.Way == WayDatabases {
		b.say("system", p.Set.Method.Databases[i].Name, p.datfs(), set)
	}
	b.line("%s\n|---|---|---|---|", say(b.lang, "table"))
	for i, db := range p.Databases {
		b.line("| %d | %s | `%s` | `%s` |", i, cell(db.Name), cell(db.Directory), cell(db.To))
	}
	b.line("")
	b.reach()
	if p.unnamed() {
		b.say("second", p.controlProgram())
		b.set(secondName + "=")
	}
	b.line("%s\n\n```sh\n%s\n```\n", say(b.lang, "command"), p.Command())
	b.line("%s %s\n", say(b.lang, "byhand"), say(b.lang, "stop"))
	b.say("paste")
	b.places()
	for i, step := range p.steps {
		b.line("%s# %d. %s\n", mark, i+1, say(b.lang, "step."+step.name))
		b.say("why." + step.name)
		for _, a := range step.acts {
			a.show(b)
		}
		if _, ok := texts["expect."+step.name]; ok {
			b.line("%s%s\n", say(b.lang, "expect"), say(b.lang, "expect."+step.name))
		}
		b.line("%s%s%s%s\n", say(b.lang, "otherwise"), say(b.lang, "state."+step.name), say(b.lang, "stop.mark"), b.goOn(step))
	}
}

// places sets the variables that blocks for a shell use.
func (b *book) places() {
	work := "WORK=" + shellWord(b.p.Work)
	if dir := b.p.opts.Book.SetDir; dir != "" {
		b.say("setdir")
		b.set("SET="+shellWord(dir), work)
		return
	}
	b.say("setdir")
	b.say("unmounted", b.p.datfs())
	b.set("MOUNT=", `SET="${MOUNT:?}"/`+shellWord(path.Join("sets", b.p.Set.Instance, b.p.Set.Name)), work)
}

// goOn says with which step a restore that ended in one goes on, as the command
// does.
func (b *book) goOn(step planStep) string {
	p := b.p
	text := say(b.lang, "again")
	if step.again != step.name {
		text = say(b.lang, "again.at", p.number(step.again))
	}
	applying := step.name == stepJournals || step.name == stepIntegrity
	switch {
	case step.name == stepApply && p.Way == WayEverything: // it may be mounted there
		text = say(b.lang, "again.dismount", p.number(stepRelease)) + text
	case applying && p.Way == WayEverything:
		text += say(b.lang, "again.copy", p.number(stepCopy))
	case applying:
		text += say(b.lang, "again.mount", p.number(stepMount))
	}
	return text
}

// number returns the number of a step in the run-book.
func (p *Plan) number(step string) int {
	return 1 + slices.IndexFunc(p.steps, func(s planStep) bool { return s.name == step })
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
	if b.all {
		b.say("archive", b.p.Set.Instance, b.p.bookCommand())
	}
}

// archive says how to go on by hand with journal files that were archived since the
// set.
func (b *book) archive() {
	p := b.p
	files := p.journals.files
	dir := p.archiveDir()
	switch last := files[len(files)-1].name; p.Way {
	case WayDatabases:
		b.say("archive.databases", dir, last)
	default:
		b.say("archive.others", dir, last, p.datfs(), shellWord(p.Set.Instance), p.number(stepJournals))
		if p.Set.Method.Facts[dbback.FactJournal] == dbback.JournalOpen {
			b.say("archive.open", last)
		}
	}
}

// archiveDir returns where a mount has the archived journal files of the instance,
// for a shell.
func (p *Plan) archiveDir() string {
	return `"$SET"/../../../journals/` + shellWord(p.Set.Instance)
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

// datfs returns what runs datfs on the repository of the set.
func (p *Plan) datfs() string { return cmp.Or(p.opts.Book.Datfs, "datfs") }

// Command returns the command of datfs that does what the plan says.
func (p *Plan) Command() string {
	if p.opts.Drill {
		return p.datfs() + " drill " + p.flags()
	}
	return p.datfs() + " restore iris " + p.flags()
}

// bookCommand returns the command that prints the run-book of this way alone.
func (p *Plan) bookCommand() string { return p.datfs() + " runbook " + p.flags() }

// flags returns the set and the flags that say what is restored.
func (p *Plan) flags() string {
	words := []string{shellWord(p.Set.SetName().String())}
	switch p.Way {
	case WayEverything:
		words = append(words, "--all", "--instance", shellWord(p.Target), "--second-instance", p.instanceWord())
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
		words = append(words, "--until", shellWord(untilFlag(p.opts.Until)))
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
