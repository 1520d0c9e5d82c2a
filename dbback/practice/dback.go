package practice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"datfs/dbback/practice/storage"
)

// listDirs is LISTDIRS^DBACK(file,mode): it writes the directories that a backup
// would include to a file, one a line (InterSystems manual, ^DBACK entry points;
// the layout of the file is not documented: this is that of the terminal).
func (i *Instance) listDirs(file, mode string, out io.Writer) string {
	if i.arms.take("listdirs-fails", nil) != nil {
		return "0"
	}
	dirs := directories(i.backupSet())
	var b bytes.Buffer
	end := "\n"
	if i.arms.has("variant-crlf") {
		end = "\r\n"
	}
	odd := i.arms.has("variant-listdirs")
	if odd {
		b.WriteString(end)
	}
	for _, dir := range dirs {
		if odd {
			dir = "  " + strings.TrimSuffix(dir, "/") + "  "
		}
		b.WriteString(dir + end)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o660); err != nil {
		i.log("LISTDIRS^DBACK: %v", err)
		return "0"
	}
	if !strings.EqualFold(mode, "QUIET") {
		fmt.Fprintf(out, "\nList of directories to be backed up\n%s\n", strings.Join(dirs, "\n"))
	}
	return "1"
}

// clrinc is CLRINC^DBACK(mode): it clears the bitmaps of the databases in the
// backup list and deletes the backup history (InterSystems manual, CLRINC^DBACK).
// Whether the bitmap of a dismounted one is cleared is unknown; here it is left.
func (i *Instance) clrinc(ctx context.Context, mode string, out io.Writer) string {
	if i.arms.take("clrinc-fails", nil) != nil || i.working() != "" || i.arms.has("backup-running") {
		return "0"
	}
	broken := i.arms.take("clear-without-flush", nil) != nil
	i.db.SetFault(storage.MarkWithoutFlush, broken)
	defer i.db.SetFault(storage.MarkWithoutFlush, false)
	var dirs []string
	for _, db := range i.backupSet() {
		if info, err := i.db.Database(db.Directory); err == nil && info.Mounted && !info.ReadOnly {
			dirs = append(dirs, db.Directory)
		}
	}
	if err := i.db.Mark(ctx, dirs); err != nil {
		i.log("CLRINC^DBACK: %v", err)
		return "0"
	}
	if !strings.EqualFold(mode, "QUIET") {
		for _, dir := range dirs {
			fmt.Fprintf(out, "\n     Cleared incremental backup bitmap in %s", dir)
		}
		fmt.Fprintln(out)
	}
	if i.arms.take("other-backup", nil) != nil {
		i.otherBackup(ctx)
	}
	if f := i.arms.take("database-added", nil); f != nil {
		name := "ADDED"
		if len(f.Args) > 0 {
			name = f.Args[0]
		}
		if err := i.createDatabase(ctx, name); err != nil {
			i.log("database %s: %v", name, err)
		}
	}
	return "1"
}

// otherBackup is a full backup by somebody else, of which the file does not matter.
func (i *Instance) otherBackup(ctx context.Context) {
	file := filepath.Join(i.l.mgr(), "Backup", "other.cbk")
	a := backupArgs{kind: storage.Full, description: "somebody else's", device: file, mode: "NOINPUT"}
	if err := errors.Join(i.onlineBackup(ctx, a, nobody{}), os.Remove(file)); err != nil {
		i.log("full backup by somebody else: %v", err)
	}
}

// nobody is at the terminal.
type nobody struct{}

func (nobody) Write(p []byte) (int, error)              { return len(p), nil }
func (nobody) ReadLine(context.Context) (string, error) { return "", io.EOF }

// createDatabase makes a database that is not there yet and adds it to the
// configuration.
func (i *Instance) createDatabase(ctx context.Context, name string) error {
	dir := i.l.place(name)
	if err := i.db.CreateDatabase(ctx, storage.DatabaseSpec{Directory: dir, Resource: "%DB_" + name, Size: 1 << 20}); err != nil {
		return err
	}
	return i.addDatabase(name, dir)
}

// mediaBlock is the unit of the fourth piece of INT^DBSIZE. The manual's example,
// 160952320 bytes in 2710 blocks, gives 59392.
const mediaBlock = 59392

// dbsize is INT^DBSIZE(type): blocks, directories, bytes on media, media blocks,
// bytes on disk, and these twice in units of 512 bytes (InterSystems manual,
// ^DBSIZE).
func (i *Instance) dbsize(kind string) string {
	t, ok := map[string]storage.BackupType{"1": storage.Incremental, "2": storage.Full, "3": storage.Cumulative}[kind]
	if !ok || i.arms.take("dbsize-fails", nil) != nil {
		return "-1"
	}
	est, err := i.db.EstimateBackup(t, directories(i.backupSet()))
	if err != nil {
		i.log("INT^DBSIZE: %v", err)
		return "-1"
	}
	blocks := (est.Bytes + mediaBlock - 1) / mediaBlock
	sectors := (est.Bytes + 511) / 512
	return fmt.Sprintf("%d^%d^%d^%d^%d^%d^%d", est.Blocks, est.Databases, blocks*mediaBlock, blocks, est.Bytes, sectors, sectors)
}

// jrnswtch is ^JRNSWTCH (InterSystems manual, Data Integrity Guide; the two lines
// are from logs of staff).
func (i *Instance) jrnswtch(ctx context.Context, out io.Writer) error {
	from, to, err := i.db.SwitchJournal(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nSwitching from: %s\nTo:             %s\n", from, to)
	if i.arms.take("journal-purged", nil) == nil {
		return nil
	}
	return i.purgeClosed(ctx)
}

// purgeClosed removes all closed journal files, whoever needs them.
func (i *Instance) purgeClosed(ctx context.Context) error {
	names, err := i.db.Journals()
	if err != nil {
		return err
	}
	i.mu.Lock()
	compressed := i.conf.get("Journal", "CompressFiles") == "1"
	i.mu.Unlock()
	closed := names[:max(0, len(names)-1)]
	for n, name := range closed {
		path, err := storage.FindJournal(name)
		// A file that was closed in this run is compressed beside everything else.
		for wait := 5 * time.Second; n >= i.pastJournals && err == nil && compressed && path == name && wait > 0; wait -= time.Millisecond {
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
			path, err = storage.FindJournal(name)
		}
		if err != nil {
			continue // purged before
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
