package gtm

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"datfs/catalog"
	"datfs/dbback"
)

// Runbook returns how this very set is restored, in Markdown: with datfs, and
// without it from a mount, with nothing but cp and GT.M's own programs. Paths,
// names and transaction numbers are the set's. The blocks marked "sh" can be
// pasted into a shell, one after the other.
//
// It is "" if the set is not of this engine or its backup did not come to its
// end.
func Runbook(info *catalog.SetInfo) string {
	return RunbookAt(info, path.Join("/mnt/datfs/sets", info.Instance, info.Name))
}

// RunbookAt returns the Runbook of a set whose directory in a mount is dir.
func RunbookAt(info *catalog.SetInfo, dir string) string {
	if info.Engine != engineName || info.Method == nil || info.State == catalog.StateInterrupted || info.State == catalog.StateRunning {
		return ""
	}
	b := &book{info: info, m: info.Method, dir: dir}
	for _, part := range []func(){b.title, b.datfs, b.setUp, b.short, b.long, b.journals, b.use} {
		part()
	}
	return b.String()
}

// A book is a run-book that is being written.
type book struct {
	strings.Builder
	info *catalog.SetInfo
	m    *catalog.Method
	dir  string // of the set in a mount
}

func (b *book) line(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }

func (b *book) fact(db catalog.Database, name string) string {
	return b.m.Facts[factName(db.Name, name)]
}

// shell quotes a word for a shell where it needs it.
func shell(s string) string { return dbback.ShellWord(s) }

// newFile is where the run-book puts a region's database.
func newFile(db catalog.Database) string { return `"$NEW"/` + db.Name + ".dat" }

// hasIncremental returns whether the set has an incremental of a region: one that
// never was written to has none.
func (b *book) hasIncremental(db catalog.Database) bool {
	return slices.Contains(b.m.Incrementals, incrementalName(db.Name))
}

func (b *book) title() {
	b.line("# Restoring %s\n", b.info.SetName())
	b.line("%s on host %s, global directory %s, backed up at %s.", b.m.ProductVersion, b.info.Host, b.m.Facts["gbldir"], b.info.Time.Format(time.RFC3339))
	if b.info.State != catalog.StateComplete {
		b.line("\n**This set is %s.** What it lacks:\n", b.info.State)
		for _, p := range b.info.Problems {
			if p.Fatal {
				b.line("* %s", p)
			}
		}
	}
	b.line("\n| region | database | copied from transaction | consistent as of | journal files in the set |")
	b.line("|---|---|---|---|---|")
	for _, db := range b.m.Databases {
		b.line("| %s | %s | %s | %s | %d |", db.Name, db.Paths[0], hex(b.fact(db, factStartTN)), hex(b.fact(db, factEndTN)), len(strings.Fields(b.fact(db, factJournal))))
	}
	b.line("\nThe files below `databases/` were copied while they were written to. **Never let MUPIP see one of them on the")
	b.line("host of the running database** before `mupip rundown -file` on a copy of it: its header names the running")
	b.line("database's semaphores, which other commands would remove. The files below `consistent/` are free of that.")
}

func hex(decimal string) string {
	var n uint64
	if _, err := fmt.Sscan(decimal, &n); err != nil {
		return decimal
	}
	return fmt.Sprintf("%#x", n)
}

func (b *book) datfs() {
	b.line("\n## With datfs: one command\n")
	b.line("DIR is a directory with room for the databases, which none of them is in yet; DATFS_REPO names the repository.")
	b.line("The running databases are not touched. The command checks the result; it prints where the restored databases are.\n\n```")
	name := b.info.SetName()
	b.line("datfs restore gtm %s --to DIR", name)
	b.line("datfs restore gtm %s --to DIR --journals %s", name, shell(b.journalDir()))
	b.line("datfs restore gtm %s --to DIR --journals %s --until '%s'", name, shell(b.journalDir()), b.info.Time.Local().Add(time.Hour).Format(time.DateTime))
	b.line("```\n")
	b.line("The first goes to the end of the journals in the set, the second to the end of those that were written since, the")
	b.line("third to a time of yours between the two. If it fails: it can be repeated, and begins anew. After it: \"Into use\" below.")
	b.line("\nWithout datfs, from a mount or a copy of this directory: \"Set up\", then one of the two ways, then the journals.")
	b.line("Stop at the first line that begins with `%%GTM-E` or `%%GTM-F` (or `%%YDB-`): what follows relies on it.")
}

// journalDir returns where the original's journals are.
func (b *book) journalDir() string {
	if b.m.Journal != nil && b.m.Journal.Required != "" {
		return filepath.Dir(b.m.Journal.Required)
	}
	return "FILE"
}

func (b *book) setUp() {
	b.line("\n## By hand: set up\n\n```sh")
	b.line("SET=${SET:-%s}   # the set's directory", shell(b.dir))
	b.line("NEW=${NEW:-/restore}   # an empty directory with room for the databases; no blanks in its path")
	b.line("export gtm_dist=%s gtm_chset=M", shell(b.m.Facts["gtm_dist"]))
	b.line(`export gtmroutines="$gtm_dist/libgtmutil.so $gtm_dist" PATH="$gtm_dist:$PATH"`)
	b.line(`# a global directory that leads to the restored databases`)
	b.line(`cp "$SET"/configuration/%s "$NEW"/new.gld`, shell(filepath.Base(b.m.Facts["gbldir"])))
	b.line(`export gtmgbldir="$NEW"/new.gld`)
	b.line("mumps -run ^GDE <<END")
	for _, db := range b.m.Databases {
		segment := b.fact(db, factSegment)
		if segment == "" {
			segment = "SEGMENT-OF-" + db.Name
		}
		b.line("change -segment %s -file=$NEW/%s.dat", segment, db.Name)
	}
	b.line("exit\nEND\n```")
}

func (b *book) short() {
	b.line("\n## By hand, the short way: the databases as they were after the incremental\n\n```sh")
	for _, db := range b.m.Databases {
		section := catalog.SectionConsistent
		if !b.hasIncremental(db) {
			section = catalog.SectionDatabases
		}
		b.line(`cp --sparse=always "$SET"/%s%s %s`, section, shell(db.Paths[0]), newFile(db))
		if !b.hasIncremental(db) {
			b.fresh(db)
		}
	}
	b.integ()
	b.line("```")
}

// fresh writes what a region needs that was never written to.
func (b *book) fresh(db catalog.Database) {
	b.line("mupip rundown -file %s", newFile(db))
	b.line("mupip set -journal=disable -file %s", newFile(db))
}

func (b *book) long() {
	b.line("\n## By hand, with GT.M's own restore\n\nInstead of the short way, not after it.\n\n```sh")
	for _, db := range b.m.Databases {
		b.line(`cp --sparse=always "$SET"/databases%s %s`, shell(db.Paths[0]), newFile(db))
		b.fresh(db) // RUNDOWN must come first
		if size := b.cutOff(db); size > 0 {
			b.line("truncate -s %d %s   # the copy ends before its header says", size, newFile(db))
		}
	}
	for _, db := range b.m.Databases { // DSE opens the files of all regions
		if !b.hasIncremental(db) {
			continue
		}
		b.line("dse <<END")
		b.line("find -region=%s", db.Name)
		b.line("change -fileheader -current_tn=%s", strings.ToUpper(strings.TrimPrefix(hex(b.fact(db, factStartTN)), "0x")))
		b.line("quit\nEND")
		b.line(`mupip restore %s "$SET"/incremental/%s`, newFile(db), incrementalName(db.Name))
	}
	b.integ()
	b.line("```")
}

// cutOff returns how long the file of a copy must be that was read only to where
// the file ended before it grew; 0 if it is long enough.
func (b *book) cutOff(db catalog.Database) int64 {
	for _, f := range b.info.Files {
		if f.Section != catalog.SectionDatabases || f.Path != filepath.Clean(db.Paths[0]) || f.Label == nil {
			continue
		}
		start := int64(4 << 20)
		if f.Format == FormatV6 {
			start = 256 << 10
		}
		if need := start + (f.Label.Blocks+1)*int64(f.Label.BlockSize); f.Size < need {
			return need
		}
	}
	return 0
}

func (b *book) integ() {
	for _, db := range b.m.Databases {
		b.line("mupip integ -file %s   # No errors detected by integ.", newFile(db))
	}
}

func (b *book) journals() {
	var files, redirects []string
	for _, db := range b.m.Databases {
		for j := range strings.FieldsSeq(b.fact(db, factJournal)) {
			name, _, _ := strings.Cut(j, "@")
			files = append(files, `"$NEW"/journals/`+shell(name))
		}
		redirects = append(redirects, shell(quote(db.Paths[0]))+"="+newFile(db))
	}
	if len(files) == 0 {
		b.line("\nThe set has no journals.")
		return
	}
	b.line("\n## By hand: the journals, after either way\n")
	b.line("They carry the databases from the incremental to the end of the backup. Nothing may be written to the databases before.")
	b.line("Journal files written since go into the list too, those that follow on one another without a gap; for a point in")
	b.line("time add `-before=\"\\\"%s\\\"\"`.\n\n```sh", b.info.Time.Local().Add(time.Hour).Format("2-Jan-2006 15:04:05"))
	b.line(`mkdir -p "$NEW"/journals && cp "$SET"/journals/* "$NEW"/journals/`)
	b.line("mupip journal -recover -forward -nochain -redirect=%s %s", strings.Join(redirects, ","), strings.Join(files, ","))
	b.integ()
	b.line("```")
}

// use writes how the restored databases take the place of the originals.
func (b *book) use() {
	b.line("\n## Into use\n")
	b.line("Look into the result first: `gtmgbldir=\"$NEW\"/new.gld mumps -direct`. Then end every process that has the originals")
	b.line("open; `mupip rundown` fails where there still is one, or where a file is damaged. After `datfs restore gtm` give the")
	b.line("paths that it printed in place of those below `$NEW`. What was restored is not journaled until the last lines.\n\n```sh")
	gbldir := b.m.Facts["gbldir"]
	for _, db := range b.m.Databases {
		path := shell(db.Paths[0])
		b.line("mupip rundown -file %s", shell(quote(db.Paths[0])))
		b.line("mv --backup=numbered %s %s", path, shell(db.Paths[0]+".replaced"))
		b.line("mv %s %s", newFile(db), path)
	}
	for _, db := range b.m.Databases {
		if how := b.fact(db, factImages); how != "" {
			b.line("gtmgbldir=%s mupip set -journal=enable,on,%s -region %s", shell(gbldir), how, db.Name)
		}
	}
	b.line("```\n")
	b.line("Give the files the owner and the mode that the originals have. The journals begin anew here, so take a backup at once:\n\n```")
	b.line("datfs backup gtm --gbldir %s --name %s\n```", shell(gbldir), b.info.Instance)
}
