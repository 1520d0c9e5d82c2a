package gtm

import (
	"fmt"
	"path"
	"path/filepath"
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
	for _, part := range []func(){b.title, b.datfs, b.setUp, b.short, b.long, b.journals, b.look, b.use} {
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
func newFile(db catalog.Database) string { return `"$NEW"/` + fileName(db.Name) + ".dat" }

// incremental returns a shell's word for the set's incremental of a region: "" if
// it has none, as one has that never was written to.
func (b *book) incremental(db catalog.Database) string {
	if name := storedIncremental(b.m, db.Name); name != "" {
		return `"$SET"/incremental/` + shell(name)
	}
	return ""
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
	b.line("Each block stops at the first command that fails, which is one that says `%%GTM-E`, `%%GTM-F`, `%%GDE-E` or the like,")
	b.line("and ends with a line that begins with `STOP`; the blocks after it then do nothing.")
}

// journalDir returns where the original's journals are.
func (b *book) journalDir() string {
	if b.m.Journal != nil && b.m.Journal.Required != "" {
		return filepath.Dir(b.m.Journal.Required)
	}
	return "FILE"
}

// setUpCode is what the blocks share. Nothing in it leads to the originals: until
// new.gld is made, and was looked at, there is no global directory at all. What
// YottaDB reads before GT.M's names must be out of the way for that.
const setUpCode = `unset ydb_dist ydb_gbldir ydb_routines ydb_chset
export gtmroutines="$gtm_dist/libgtmutil.so $gtm_dist" PATH="$gtm_dist:$PATH" gtmgbldir="$NEW"/none.gld
try() {   # runs a command; fails also where GT.M complains without an exit code
  said=$("$@" 2>&1) && code=0 || code=$?
  printf '%s\n' "$said"
  if printf '%s\n' "$said" | grep -E '(^|> )%[A-Z]+-[EF]-' >/dev/null; then code=1; fi
  return "$code"
}
begin() {   # begin A B: the file A must be in $NEW, and B must not
  trap 'test $? = 0 || echo "STOP: this block did not come to its end; nothing that follows may be done"' EXIT
  if [ -n "${1:-}" ] && [ ! -e "$NEW/$1" ]; then echo "there is no $NEW/$1"; exit 1; fi
  if [ -n "${2:-}" ] && [ -e "$NEW/$2" ]; then echo "there is $NEW/$2"; exit 1; fi
}
map() { printf 'show -map\nquit\n' | mumps -run ^GDE 2>&1; }
inside() {   # fails if the global directory leads to any file that is not below $NEW
  files=$(map | grep ' FILE = ')
  if printf '%s\n' "$files" | grep -vF " FILE = $NEW/"; then echo "a global directory leads to these files"; return 1; fi
}
lead() {   # makes a global directory of one region, which leads to a file below $NEW
  export gtmgbldir="$NEW"/one.gld
  rm -f "$gtmgbldir"
  printf 'change -segment DEFAULT -file="%s"\nexit\n' "$1" | try mumps -run ^GDE
  inside
}
( set -eu; begin
case "$NEW" in *[!A-Za-z0-9/._-]*) echo "$NEW: letters, digits and / . _ - only"; exit 1 ;; /*) ;; *) echo "$NEW: no absolute path"; exit 1 ;; esac
mkdir -p "$NEW"
if [ -n "$(ls -A "$NEW")" ]; then echo "$NEW: not empty"; exit 1; fi
touch "$NEW"/set-up.done )`

func (b *book) setUp() {
	b.line("\n## By hand: set up\n\n```sh")
	b.line("SET=${SET:-%s}   # the set's directory", shell(b.dir))
	b.line("NEW=${NEW:-/restore}   # an empty directory with room for the databases")
	b.line("export gtm_dist=%s gtm_chset=M", shell(b.m.Facts["gtm_dist"]))
	b.line("%s\n```", setUpCode)
}

func (b *book) short() {
	b.line("\n## By hand, the short way: the databases as they were after the incremental\n")
	b.line("```sh\n( set -eu; begin set-up.done databases.done")
	for _, db := range b.m.Databases {
		section := catalog.SectionConsistent
		if b.incremental(db) == "" {
			section = catalog.SectionDatabases
		}
		b.line(`cp --sparse=always "$SET"/%s%s %s`, section, shell(db.Paths[0]), newFile(db))
		if b.incremental(db) == "" {
			b.fresh(db)
		}
	}
	b.integ()
	b.line("touch \"$NEW\"/databases.done )\n```")
}

// fresh writes what a region needs that was never written to.
func (b *book) fresh(db catalog.Database) {
	b.line("try mupip rundown -file %s", newFile(db))
	b.line("try mupip set -journal=disable -file %s", newFile(db))
}

// long writes how the incrementals are applied. DSE changes what its global
// directory leads to, so it gets one that was made for it: of one region, which
// leads to the new file, whatever the regions of the set are called.
func (b *book) long() {
	b.line("\n## By hand, with GT.M's own restore\n\nInstead of the short way, not after it.\n")
	b.line("```sh\n( set -eu; begin set-up.done databases.done")
	for _, db := range b.m.Databases {
		b.line(`cp --sparse=always "$SET"/databases%s %s`, shell(db.Paths[0]), newFile(db))
		b.fresh(db) // RUNDOWN must come first
		if size := b.cutOff(db); size > 0 {
			b.line("truncate -s %d %s   # the copy ends before its header says", size, newFile(db))
		}
	}
	for _, db := range b.m.Databases {
		if b.incremental(db) == "" {
			continue
		}
		b.line("lead %s", newFile(db))
		b.line(`printf 'change -fileheader -current_tn=%%s\nquit\n' %s | try dse`,
			strings.ToUpper(strings.TrimPrefix(hex(b.fact(db, factStartTN)), "0x")))
		b.line(`try mupip restore %s %s`, newFile(db), b.incremental(db))
	}
	b.integ()
	b.line("touch \"$NEW\"/databases.done )\n```")
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
		b.line("try mupip integ -file %s   # No errors detected by integ.", newFile(db))
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
	b.line("( set -eu; begin databases.done journals.done")
	b.line(`mkdir -p "$NEW"/journals && cp "$SET"/journals/* "$NEW"/journals/`)
	b.line(`touch "$NEW"/journals.begun`)
	b.line("lead %s   # MUPIP wants to have a global directory", newFile(b.m.Databases[0]))
	b.line("try mupip journal -recover -forward -nochain -redirect=%s %s", strings.Join(redirects, ","), strings.Join(files, ","))
	b.integ()
	b.line("rm \"$NEW\"/journals.begun; touch \"$NEW\"/journals.done )\n```")
}

// look writes how the result is looked at: with the set's global directory, every
// segment of which is first led away from the original.
func (b *book) look() {
	var set []string
	for _, db := range b.m.Databases {
		set = append(set, db.Name)
	}
	b.line("\n## By hand: look into the result\n")
	b.line("`new.gld` leads to the restored databases. Regions that are not in the set lead nowhere: GT.M says")
	b.line("`%%GTM-E-DBFILERR` of them. It is there only if it was made to the end, and leads to no file of the original.\n")
	b.line("```sh\n( set -eu; begin databases.done journals.begun")
	b.line(`cp "$SET"/configuration/%s "$NEW"/unchecked.gld`, shell(filepath.Base(b.m.Facts["gbldir"])))
	b.line(`export gtmgbldir="$NEW"/unchecked.gld`)
	b.line(`map | awk -v new="$NEW" -v set=%s '`, shell(" "+strings.Join(set, " ")+" "))
	b.line(`  / REG = / { region = $NF }`)
	b.line(`  / SEG = / { file = region ".dat"; gsub(/[$]/, "-", file)`)
	b.line(`              if (!index(set, " " region " ")) file = "not-restored/" file`)
	b.line(`              print "change -segment " $NF " -file=\"" new "/" file "\"" }`)
	b.line(`  END { print "exit" }' | try mumps -run ^GDE`)
	b.line("inside")
	b.line("mv \"$NEW\"/unchecked.gld \"$NEW\"/new.gld )\n```\n")
	b.line("Then `gtmgbldir=\"$NEW\"/new.gld mumps -direct`.")
}

// use writes how the restored databases take the place of the originals.
func (b *book) use() {
	b.line("\n## Into use\n")
	b.line("End every process that has the originals open; `mupip rundown` fails where there still is one, or where a file is")
	b.line("damaged: where that is all, move that file away first. After `datfs restore gtm` do \"Set up\" with an empty directory,")
	b.line("`touch \"$NEW\"/databases.done`, and give the paths that it printed in place of those of `.dat` files below `$NEW`. What")
	b.line("was restored is not journaled until the last lines.\n\n```sh\n( set -eu; begin databases.done journals.begun")
	for _, db := range b.m.Databases {
		b.line("test -s %s", newFile(db))
	}
	for _, db := range b.m.Databases {
		b.line("if [ -e %s ]; then try mupip rundown -file %s; fi", shell(db.Paths[0]), shell(quote(db.Paths[0])))
	}
	for _, db := range b.m.Databases {
		path := shell(db.Paths[0])
		b.line("if [ -e %s ]; then mv --backup=numbered %s %s; fi", path, path, shell(db.Paths[0]+".replaced"))
		b.line("mv -n %s %s", newFile(db), path)
	}
	gbldir := b.m.Facts["gbldir"]
	b.line("export gtmgbldir=%s", shell(gbldir))
	for _, db := range b.m.Databases {
		if how := b.fact(db, factImages); how != "" {
			b.line("try mupip set -journal=enable,on,%s -region %s", how, shell(db.Name))
		}
	}
	b.line(")")
	b.line("```\n")
	b.line("Give the files the owner and the mode that the originals have. The journals begin anew here, so take a backup at once:\n\n```")
	b.line("datfs backup gtm --gbldir %s --name %s\n```", shell(gbldir), b.info.Instance)
}
