package fs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"datfs/catalog"
)

// setJSON returns the content of set.json.
func setJSON(info *catalog.SetInfo) []byte {
	b, err := json.MarshalIndent(info, "", "  ")
	if err != nil { // a year past 9999 is all that can do this
		return fmt.Appendf(nil, "%q\n", err.Error())
	}
	return append(b, '\n')
}

// sumLine returns the line of SUMS.xxh64 for a file, or nothing if it has no
// sum. A line break in a name has no form that xxhsum 0.8.1 reads, so that such
// a file is left out too; other bytes it takes as they are.
func sumLine(xxh64, name string) string {
	if xxh64 == "" || strings.ContainsAny(name, "\n\r") {
		return ""
	}
	return xxh64 + "  " + name + "\n"
}

// problemsText returns the content of PROBLEMS.txt.
func problemsText(info *catalog.SetInfo) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "The set %s cannot be restored as a whole: it is %s.\n", info.SetName(), info.State)
	switch info.State {
	case catalog.StateRunning:
		b.WriteString("A backup is writing it now. Files appear here as they are stored.\n")
	case catalog.StateInterrupted:
		b.WriteString("Its backup ended before it was done. Repeat the backup: what is stored\nis not stored again.\n")
	}
	for _, p := range info.Problems {
		kind := "warning"
		if p.Fatal {
			kind = "error"
		}
		fmt.Fprintf(&b, "%s: %v\n", kind, p)
	}
	b.WriteString(stepsText(info))
	return b.Bytes()
}

// stepsText says of a backup of a database in use how far it came, and of one
// that was cut off what that means for the database and what to do.
func stepsText(info *catalog.SetInfo) string {
	last := info.LastStep()
	if last == nil {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nThe steps that it came to, with their beginnings:\n\n")
	for _, s := range info.Steps {
		fmt.Fprintf(&b, "  %s  %s\n", s.Time.UTC().Format(time.RFC3339), s.Name)
	}
	if info.State != catalog.StateInterrupted {
		return b.String()
	}
	fmt.Fprintf(&b, "\nIt ended within the step %s.\n", last.Name)
	if last.Means != "" {
		fmt.Fprintf(&b, "It means:   %s\n", last.Means)
	}
	if last.Next != "" {
		fmt.Fprintf(&b, "What to do: %s\n", last.Next)
	}
	return b.String()
}

// readmeText returns the content of README.txt. newest is the newest complete
// set or nil.
func readmeText(repoDir, mountDir string, newest *set) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, readmeHead, repoDir, mountDir)
	if newest == nil {
		b.WriteString("There is no complete set yet, so there is nothing to restore.\n")
		return b.Bytes()
	}
	repo := quote(repoDir)
	latest := quote(path.Join(mountDir, "latest", newest.info.Instance))
	name := newest.info.SetName().String()
	if newest.info.Method != nil {
		fmt.Fprintf(&b, readmeRestoreDirty, latest, repo, quote(name), copySections(newest, latest), applyText(newest.info.Method))
		if newest.dir().byName[runbookName] != nil {
			fmt.Fprintf(&b, readmeRunbook, latest+"/"+runbookName)
		}
	} else {
		fmt.Fprintf(&b, readmeRestore, latest, repo, quote(name))
	}
	if f := exampleFile(newest); f != "" {
		original := "/" + strings.TrimPrefix(f, newest.path()+"/databases/")
		if newest.info.Method != nil {
			b.WriteString(readmeFileDirty)
		} else {
			b.WriteString("To restore a single file:\n\n")
		}
		fmt.Fprintf(&b, readmeFile, quote(path.Join(mountDir, f)), repo, quote(name), quote(original))
	}
	fmt.Fprintf(&b, readmeCheck, latest)
	return b.Bytes()
}

// copySections returns the command that copies what a set has beside its
// databases, a line, or nothing.
func copySections(s *set, latest string) string {
	var dirs strings.Builder
	for _, e := range s.dir().list {
		if e.isDir() && !slices.Contains([]string{string(catalog.SectionDatabases), string(catalog.SectionConsistent), notesName}, e.name()) {
			dirs.WriteString(latest + "/" + quote(e.name()) + " ")
		}
	}
	if dirs.Len() == 0 {
		return ""
	}
	return "  rsync -aHAX " + dirs.String() + "/restore/\n"
}

// applyText says in lines what makes databases of the copies of a set.
func applyText(m *catalog.Method) string {
	var b strings.Builder
	for _, name := range m.Incrementals {
		fmt.Fprintf(&b, "  apply    incremental/%s\n", name)
	}
	if j := m.Journal; j != nil && len(j.Files) > 0 {
		fmt.Fprintf(&b, "  restore  journals/%s and those after it, from %s on\n", j.Files[0], path.Base(j.Required))
	}
	return b.String()
}

// exampleFile returns the path in the mount of a database file of the set, to
// show a command with, or "" if it has none.
func exampleFile(s *set) string {
	e := s.dir().byName[string(catalog.SectionDatabases)]
	for e.isDir() {
		below := e.children().list
		if len(below) == 0 {
			return ""
		}
		e = below[0]
	}
	return e.path
}

const readmeHead = `This is a datfs repository, mounted read-only.

  repository    %s
  mounted at    %s

  latest/       for each instance a link to its newest complete set
  sets/         all complete sets: instance/time. In each of them
                  databases/      the files, below their original path
                  set.json        everything known of the set
                  SUMS.xxh64      sums of the files (those with very large
                                  holes have none and are not listed)
                  notes/          what was said of the set since, such as the
                                  reports of restores that were tried
                and, of databases that were in use when they were copied,
                  RESTORE.md      how this very set is restored, step by step
                  incremental/    what changed meanwhile, and its log
                  consistent/     the databases with that applied, where datfs
                                  can do it by itself
                  journals/       the journal files that a restore begins with
                  configuration/  configuration files of the instance
                  transcripts/    what the instance was told, and its answers
  databases/    the same files by database: instance/database/time
  journals/     journal files copied between backups, if there are any: instance/
  incomplete/   sets that are being written or that failed: for looking only

Where a set has incremental/, its databases are "dirty" copies: DAMAGED until the
incremental is applied to them, and not whole until the journals are. To copy the
files out is then the first step of a restore, not all of it.

Owners, modes and times are those of the originals. New sets appear here by
themselves.

`

const readmeRestore = `To restore the newest set to another place:

  rsync -aHAX --inplace %[1]s/databases/ /restore/

or without the mount, writing only what differs:

  datfs --repo %[2]s restore %[3]s --to /restore

To put everything back where it came from, give / for /restore. Nothing may
have the files open meanwhile: dismount the databases or stop the instance.

`

const readmeRestoreDirty = `To restore the newest set to another place, first copy everything:

  rsync -aHAX --inplace %[1]s/databases/ /restore/
%[4]s
or without the mount, writing only what differs:

  datfs --repo %[2]s restore %[3]s --to /restore

THE DATABASES ARE NOT USABLE YET: they were copied while in use. Keep everybody
out of them, and by the means of the database product, in this order:

%[5]s
Only then are they what they were at the time of the backup, or later.

`

// runbookName is what the document with a set's run-book is called.
const runbookName = "RESTORE.md"

const readmeRunbook = `Every command for this set, with its paths and names, is in

  %s

`

const readmeFileDirty = `To copy a single file, which needs the incremental and the journals as well:

`

const readmeFile = `  rsync -aHAX --inplace %[1]s /restore/
  datfs --repo %[2]s restore %[3]s --to /restore --only %[4]s

`

const readmeCheck = `To check what is mounted, and what was copied to /restore:

  cd %[1]s && xxhsum -c SUMS.xxh64
  cd /restore && sed 's:  databases/:  :' %[1]s/SUMS.xxh64 | xxhsum -c -
`

// quote returns s as a word for the shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r > 0x7f || strings.ContainsRune("/._-+:,@=%", r) ||
			'0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
