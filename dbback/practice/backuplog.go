package practice

import (
	"fmt"
	"io"
	"time"
)

// A backupLog writes the text of a backup, to its log file and its terminal: the
// layout is that of a full backup's log of IRIS 2024.1 on Linux, published by
// InterSystems staff (iijimam/IRISBackupAndRestore, OnlineBackup.md). No log of an
// incremental is public: that it looks the same, and its first line, is a guess.
type backupLog struct {
	w     io.Writer
	has   func(variant string) bool // whether a form is chosen that differs
	err   error                     // the first one of writing
	now   func() time.Time
	lines string // how a line ends
}

func newBackupLog(w io.Writer, has func(string) bool) *backupLog {
	l := &backupLog{w: w, has: has, now: time.Now, lines: "\n"}
	if has("variant-crlf") {
		l.lines = "\r\n"
	}
	return l
}

// print writes lines.
func (l *backupLog) print(lines ...string) {
	for _, line := range lines {
		if l.err == nil {
			_, l.err = io.WriteString(l.w, line+l.lines)
		}
	}
}

// stamp is a time as the log has it.
func (l *backupLog) stamp() string { return l.now().Format("01/02/2006 15:04:05") }

// header begins the log. The line "Performing a ... backup." is missing in logs
// of interactive runs.
func (l *backupLog) header(kind, device, description string, directories []string) {
	l.print(
		l.now().Format("*** The time is: 2006-01-02 15:04:05 ***"),
		"",
		"              InterSystems IRIS Backup Utility",
		"              --------------------------------",
	)
	if !l.has("variant-no-header") {
		article := "a"
		if kind == "Incremental" && l.has("variant-an") {
			article = "an"
		}
		l.print(fmt.Sprintf("Performing %s %s backup.", article, kind))
	}
	l.print("Backing up to device: "+device, "Description", description, "", "", "Backing up the following directories:")
	for _, dir := range directories {
		l.print(" " + dir)
	}
	l.print("", "")
}

func (l *backupLog) switched(file string) {
	l.print("Journal file switched to:", file, "", "")
}

func (l *backupLog) passBegins(n int) {
	l.print(fmt.Sprintf("Starting backup pass %d", n))
}

// lastPass is printed at the start of the last pass: the oldest journal file
// that a restore needs, and the marker.
func (l *backupLog) lastPass(required, marker string, offset int64) {
	purpose := "purpose"
	if l.has("variant-purposes") {
		purpose = "purposes"
	}
	l.print(
		"",
		fmt.Sprintf("Journal file '%s' and the subsequent ones are required for recovery %s if the backup were to be restored", required, purpose),
		"",
		"Journal marker set at",
		fmt.Sprintf("offset %d of %s", offset, marker),
		"",
		" - This is the last pass - Suspending write daemon",
	)
}

func (l *backupLog) copied(dir string, blocks int64, took time.Duration) {
	l.print(
		fmt.Sprintf("Backing up %s at %s", dir, l.stamp()),
		fmt.Sprintf("Copied %d blocks in %.3f seconds", blocks, took.Seconds()),
		"",
		"Finished this pass of copying "+dir,
		"",
	)
}

func (l *backupLog) passEnds(n int) {
	l.print(fmt.Sprintf("Backup pass %d complete at %s", n, l.stamp()), "")
}

// finish ends the log of a backup that succeeded.
func (l *backupLog) finish() {
	l.print("***FINISHED BACKUP***", "", "Global references are enabled.", "", "Backup complete.")
}

// failed ends the log of a backup that did not. What a real log says there is not
// documented; the messages are those of the InterSystems Error Reference.
func (l *backupLog) failed(message string) {
	l.print("", message, "", "Global references are enabled.")
}
