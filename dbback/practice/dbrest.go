package practice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"datfs/dbback/practice/storage"
)

// What EXTALL and EXTSELCT^DBREST return (InterSystems manual, Unattended Restore
// Using ^DBREST). The number of success is lost in every copy of the page that is
// public; 1 is a guess, and variant-restore-0 the other one.
const (
	restOK      = "1"
	restDevice  = "-1" // the input device cannot be opened
	restLabel   = "-2" // the volume's label is not that of the history
	restBusy    = "-3" // a backup or restore is in progress
	restList    = "-4" // the directory-selection file cannot be read
	restOption  = "-5" // the journal option is invalid
	restJournal = "-6" // the journal file is invalid, or its selection file cannot be opened
)

// restoreArgs are the arguments of EXTALL and EXTSELCT^DBREST, in their order.
// The second, whether others may update meanwhile, is not used: the storage never
// lets them.
type restoreArgs struct {
	all                 bool // EXTALL
	device, dirList     string
	option              string // 1 restored directories, 2 all, 3 those in journalDirs, 4 none
	journal, journalSel string
}

func parseRestoreArgs(all bool, arg func(n int) string) restoreArgs {
	return restoreArgs{all: all, device: arg(3), dirList: arg(4), option: arg(5), journal: arg(6), journalSel: arg(7)}
}

// restore is EXTALL and EXTSELCT^DBREST. Texts are from runs of IRIS 2024.1 that
// InterSystems staff published (OnlineBackup.md).
func (i *Instance) restore(ctx context.Context, a restoreArgs, out io.Writer) string {
	if f := i.arms.take("restore-fails", nil); f != nil {
		return "-" + strings.TrimPrefix(f.Args[0], "-")
	}
	if !slices.Contains([]string{"1", "2", "3", "4"}, a.option) {
		return restOption
	}
	opts := storage.RestoreOptions{Path: a.device, All: a.all}
	if !a.all {
		targets, err := readDirList(a.dirList)
		if err != nil {
			return restList
		}
		// ^DBREST deletes the file when it has finished (manual, as above).
		defer func() { _ = os.Remove(a.dirList) }()
		opts.Targets = slices.DeleteFunc(i.restorable(targets, out), func(t storage.RestoreTarget) bool {
			return i.strikes("restore-omits", t.Source)
		})
	}
	code := i.restoreBlocks(ctx, a, opts, out)
	if code == restOK && i.arms.has("variant-restore-0") {
		code = "0"
	}
	return code
}

// readDirList reads SourceDir,TargetDir,CreateDir lines.
func readDirList(path string) ([]storage.RestoreTarget, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var targets []storage.RestoreTarget
	for line := range strings.Lines(string(b)) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		if fields[0] == "" {
			continue
		}
		t := storage.RestoreTarget{Source: slashed(fields[0])}
		if len(fields) > 1 && fields[1] != "" {
			t.Target = slashed(fields[1])
		}
		t.Create = len(fields) > 2 && strings.EqualFold(fields[2], "Y")
		targets = append(targets, t)
	}
	if len(targets) == 0 {
		return nil, errors.New("no directory is selected")
	}
	return targets, nil
}

// restorable leaves out what ^DBREST refuses to restore: an active mirrored
// database on the primary (InterSystems manual, ^DBREST mirrored databases; the
// text is not documented).
func (i *Instance) restorable(targets []storage.RestoreTarget, out io.Writer) []storage.RestoreTarget {
	return slices.DeleteFunc(targets, func(t storage.RestoreTarget) bool {
		dir := t.Target
		if dir == "" {
			dir = t.Source
		}
		if f := i.flagged("mirrored", dir); f == nil || memberRole(f) != rolePrimary {
			return false
		}
		fmt.Fprintf(out, "\n%s is an active mirrored database and is not restored\n", dir)
		return true
	})
}

func (i *Instance) restoreBlocks(ctx context.Context, a restoreArgs, opts storage.RestoreOptions, out io.Writer) string {
	ctx, done, err := i.begin(ctx, "restore")
	if err != nil {
		return restBusy
	}
	defer done()
	info, err := storage.ReadBackup(ctx, a.device)
	if err != nil {
		fmt.Fprintf(out, "\nCannot open backup volume '%s'\n", a.device)
		i.log("^DBREST: %v", err)
		return restDevice
	}
	if a.all {
		fmt.Fprint(out, "\nThe following directories will be restored:\n")
		for _, db := range info.Databases {
			fmt.Fprintf(out, "%s =>\n", db.Directory)
			opts.Targets = append(opts.Targets, storage.RestoreTarget{Source: db.Directory})
		}
	}
	for _, t := range opts.Targets {
		i.load.leave(cmp.Or(t.Target, t.Source)) // a source that is restored to elsewhere keeps its users
	}
	opts.Progress = func(ev storage.RestoreProgress) { i.restoreProgress(ev, out) }
	if _, err := i.db.RestoreBackup(ctx, opts); err != nil {
		fmt.Fprintf(out, "\n%v\n", err)
		i.log("^DBREST: %v", err)
		if errors.Is(err, storage.ErrBusy) {
			return restBusy
		}
		return restDevice // what it is for a target that cannot be written is not documented
	}
	return i.restoreJournals(ctx, a, info, opts.Targets, out)
}

func (i *Instance) restoreProgress(ev storage.RestoreProgress, out io.Writer) {
	const mib = 1 << 20
	switch ev.Event {
	case storage.Expanding:
		fmt.Fprintf(out, "\nExpanding %s from %d MB to %d MB\n", ev.Target, ev.FromBytes/mib, ev.ToBytes/mib)
	case storage.RestoreBegins:
		to := ""
		if ev.Target != ev.Source && ev.Target != "" {
			to = " to " + ev.Target
		}
		fmt.Fprintf(out, "\n***Restoring %s%s at %s\n", ev.Source, to, ev.Time.Local().Format(time.TimeOnly))
	case storage.RestoreEnds:
		fmt.Fprintf(out, "%d blocks restored in %.1f seconds for this pass, %d total restored.\n", ev.Blocks, ev.Elapsed.Seconds(), ev.Total)
	case storage.SkipEnds:
		fmt.Fprintf(out, "\nStarting skip of %s.\n\n    skipped %d blocks in %s seconds.\n", ev.Source, ev.Blocks, bareFraction(ev.Elapsed.Seconds()))
	case storage.Mounted:
		state := "Mounted"
		if ev.Err != nil || i.arms.take("restore-not-mounted", nil) != nil {
			state = "Not Mounted" // what it says then is not documented
		}
		mirror := ""
		if i.flagged("mirrored", ev.Target) != nil {
			mirror = " which is a mirrored DB"
		}
		fmt.Fprintf(out, "\nMounting %s%s\n    %s  ... (%s)\n", ev.Target, mirror, ev.Target, state)
	}
}

// bareFraction writes a number as ObjectScript does: .006246.
func bareFraction(f float64) string {
	s := strings.TrimRight(strconv.FormatFloat(f, 'f', 6, 64), "0")
	if s = strings.TrimSuffix(strings.TrimPrefix(s, "0"), "."); s == "" {
		return "0"
	}
	return s
}

// restoreJournals is what follows the blocks: the journal option.
func (i *Instance) restoreJournals(ctx context.Context, a restoreArgs, info *storage.BackupInfo, targets []storage.RestoreTarget, out io.Writer) string {
	if a.option == "4" {
		fmt.Fprint(out, "\n[Journal not applied to any directory]\n")
		return restOK
	}
	fmt.Fprintf(out, "\nWe know something about where journaling was at the time of the backup:\n0: offset %d in %s\n\n", info.Offset, info.Marker)
	opts := storage.JournalRestore{First: a.journal, Rollback: true, Progress: func(file string) { fmt.Fprintf(out, "\n%s\n", file) }}
	if opts.First == "" {
		opts.First = i.db.Status().Journal
	}
	switch a.option {
	case "1":
		for _, t := range targets {
			opts.Select = append(opts.Select, t.Source) // the journal cannot be redirected here
		}
	case "3":
		dirs, err := readDirList(a.journalSel)
		if err != nil {
			return restJournal
		}
		for _, d := range dirs {
			opts.Select = append(opts.Select, d.Source)
		}
	}
	fmt.Fprint(out, "\nJournal reads completed. Applying changes to databases...\n")
	if _, err := i.db.RestoreJournals(ctx, opts); err != nil {
		fmt.Fprintf(out, "\n%v\n", err)
		return restJournal
	}
	fmt.Fprintf(out, " 20.00%%  40.00%%  60.00%%  80.00%% 100.00%%100.00%%\n***Journal file finished at %s\n", time.Now().Format(time.TimeOnly))
	return restOK
}

// memberRole returns the role of this member that a failure "mirrored" says.
func memberRole(f *Armed) string {
	if len(f.Args) > 1 {
		return f.Args[1]
	}
	return rolePrimary
}
