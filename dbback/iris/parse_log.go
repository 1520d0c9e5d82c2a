package iris

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"datfs/dbback/iris/session"
)

// A backupLog is what the log of BACKUP^DBACK says. The layout is that of a full
// backup's log of IRIS 2024.1 and of one of IRIS 2022.1, both public; of an
// incremental's log no public example exists, so that its first lines are not
// relied on.
type backupLog struct {
	kind        string   // "Incremental"; "" if the line is missing, as in interactive runs
	device      string   // the backup file
	directories []string // that were backed up, with their slashes
	switched    string   // journal file that the backup switched to
	required    string   // oldest journal file that a restore needs; can be older than switched
	marker      string   // journal file with the marker
	offset      int64    // of the marker
	blocks      int64    // copied in all passes
	finished    bool     // ***FINISHED BACKUP***
	complete    bool     // Backup complete.
}

var (
	reKind     = regexp.MustCompile(`^Performing an? (\w+) backup\.?$`)
	reRequired = regexp.MustCompile(`^Journal file '(.+)' and the subsequent ones are required for recovery purposes?`)
	reOffset   = regexp.MustCompile(`^offset (\d+) of (.+)$`)
	reCopied   = regexp.MustCompile(`^Copied (\d+) blocks? in `)
)

// maxLog bounds how much of a log is read, in bytes.
const maxLog = 64 << 20

// parseLog reads the log of a backup. Blanks around lines, blank lines, and CR at
// their ends mean nothing.
func parseLog(r io.Reader) (*backupLog, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxLog))
	if err != nil {
		return nil, err
	}
	lines := logLines{}
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	l := &backupLog{}
	for i, line := range lines {
		l.read(line, lines[i+1:])
	}
	return l, nil
}

// read takes one line; rest are those after it.
func (l *backupLog) read(line string, rest logLines) {
	if after, ok := strings.CutPrefix(line, "Journal marker set at"); ok {
		if after = strings.TrimSpace(after); after == "" {
			after = rest.first()
		}
		if m := reOffset.FindStringSubmatch(after); m != nil {
			if n, err := strconv.ParseInt(m[1], 10, 64); err == nil {
				l.offset, l.marker = n, m[2]
			}
		}
		return
	}
	if m := reKind.FindStringSubmatch(line); m != nil {
		l.kind = m[1]
	} else if m := reRequired.FindStringSubmatch(line); m != nil {
		l.required = m[1]
	} else if m := reCopied.FindStringSubmatch(line); m != nil {
		if n, err := strconv.ParseInt(m[1], 10, 64); err == nil && n <= maxBlocks-l.blocks {
			l.blocks += n
		}
	} else if device, ok := strings.CutPrefix(line, "Backing up to device:"); ok {
		l.device = strings.TrimSpace(device)
	}
	switch line {
	case "Backing up the following directories:":
		l.directories = rest.block()
	case "Journal file switched to:":
		l.switched = rest.first()
	case "***FINISHED BACKUP***":
		l.finished = true
	case "Backup complete.":
		l.complete = true
	}
}

// maxBlocks is more than all databases of an instance have.
const maxBlocks = 1 << 50

// logLines are lines without blanks around.
type logLines []string

// first returns the first line that is not empty, "" if there is none.
func (ls logLines) first() string {
	for _, line := range ls {
		if line != "" {
			return line
		}
	}
	return ""
}

// block returns the directories in the lines up to the first empty one after one
// that is not.
func (ls logLines) block() (dirs []string) {
	for _, line := range ls {
		if line == "" && len(dirs) > 0 {
			break
		}
		if strings.HasPrefix(line, "/") {
			dirs = append(dirs, session.Slashed(line))
		} else if line != "" {
			break
		}
	}
	return dirs
}

// disagreements returns, as sentences, what in the log does not fit a successful
// incremental of these directories.
func (l *backupLog) disagreements(dirs []string) []string {
	var out []string
	if l.kind != "" && !strings.EqualFold(l.kind, "Incremental") {
		out = append(out, fmt.Sprintf("the log is that of a backup of kind %q", l.kind))
	}
	if !l.finished {
		out = append(out, "the log has no line ***FINISHED BACKUP***")
	}
	if !l.complete {
		out = append(out, "the log has no line Backup complete.")
	}
	for _, dir := range dirs {
		if !slices.Contains(l.directories, dir) {
			out = append(out, fmt.Sprintf("the log does not name %s, which was copied", dir))
		}
	}
	for _, dir := range l.directories {
		if !slices.Contains(dirs, dir) {
			out = append(out, fmt.Sprintf("the log names %s, which was not copied", dir))
		}
	}
	return out
}
