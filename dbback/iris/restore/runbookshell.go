package restore

import (
	"fmt"
	"slices"
	"strings"

	"datfs/catalog"
	"datfs/dbback"
)

// What a run-book has people type.
//
// Each block for a shell can be pasted as a whole: it is a subshell that ends at
// the first command which fails, and says OK only at its end. Without that the
// lines of a paste after one that failed would be carried out all the same. It
// begins with the variables that it uses, so that none which is not set (in another
// terminal, say) makes a path of the root directory.

// secondName is the variable with the name of the second instance, where the plan
// does not have it.
const secondName = "SECOND"

// bookVariables are those that blocks can use. Each is set by a block of its own, or
// is to be filled in there.
var bookVariables = []string{"SET", "WORK", "WIJ", secondName, "EMERGENCY_USER", "EMERGENCY_PASSWORD"}

// shell adds commands for a shell.
func (b *book) shell(lines ...string) { b.commands = append(b.commands, lines...) }

// endShell ends a block of commands: what comes then is not pasted with them.
func (b *book) endShell() {
	commands := strings.Join(b.commands, "\n")
	if b.commands = nil; commands == "" {
		return
	}
	block := []string{"(", "set -eu"}
	var used []string
	for _, name := range bookVariables {
		if strings.Contains(commands, `"$`+name+`"`) {
			used = append(used, `"${`+name+`:?}"`)
		}
	}
	if len(used) > 0 {
		block = append(block, ": "+strings.Join(used, " "))
	}
	block = append(block, commands, "echo OK", ")")
	b.line("```sh\n%s\n```\n", strings.Join(block, "\n"))
}

// set adds a block that sets variables, in the shell itself.
func (b *book) set(lines ...string) { b.line("```sh\n%s\n```\n", strings.Join(lines, "\n")) }

// refuse adds commands that end the block if a test is true of one of the files,
// which they then show.
func (b *book) refuse(test string, files []string) {
	b.shell("for f in "+shellWords(files), "do", fmt.Sprintf(`if [ %s "$f" ]; then ls -ld "$f"; exit 1; fi`, test), "done")
}

// mustBe adds commands that end the block if an instance does not have a status, of
// those that "iris qlist" gives.
func (b *book) mustBe(status, instance string) {
	qlist := b.p.controlProgram() + " qlist " + shellWord(instance)
	b.shell(qlist, qlist+` | grep -qi '\^`+status+"'")
}

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
func (b *book) terminal(statements []string) { b.terminalOf(b.p.instanceWord(), statements) }

// terminalOf adds statements for a session of an instance, given as a word for a
// shell.
func (b *book) terminalOf(instance string, statements []string) {
	b.line("%s\n\n```\n%s\n```\n", say(b.lang, "terminal", b.p.sessionProgram()+" "+instance+" -U %SYS"), strings.Join(statements, "\n"))
}

// sessionProgram opens sessions.
func (p *Plan) sessionProgram() string {
	if p.cacheNames() {
		return "csession"
	}
	return "iris session"
}

// bareSession is the command for a session of an instance that did not come fully
// up (InterSystems manual, Backup and Restore).
func (p *Plan) bareSession(instance string) string {
	if p.cacheNames() {
		return "csession " + shellWord(instance) + " -B"
	}
	return "iris terminal " + shellWord(instance) + " -B"
}

// unnamed returns whether it is not known which instance helps.
func (p *Plan) unnamed() bool { return p.Way == WayEverything && p.opts.Instance == "" }

// instanceWord returns the instance whose sessions are used, as a word for a shell.
func (p *Plan) instanceWord() string {
	if p.unnamed() {
		return `"${` + secondName + `:?}"`
	}
	return shellWord(p.Instance)
}

// file adds a file that is to be written.
func (b *book) file(path, content string) {
	b.shell(fmt.Sprintf("cat > %s <<'END'\n%sEND", b.work(path), content))
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

// shellWord quotes a word for a shell where it needs it.
func shellWord(s string) string { return dbback.ShellWord(s) }

func shellWords(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, shellWord(w))
	}
	return strings.Join(out, " ")
}
