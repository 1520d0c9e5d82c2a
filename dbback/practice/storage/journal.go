package storage

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// journalLog is the list of all journal files, in the manager directory. That it
// exists and lists all files is documented; its format is not. Here it is a path
// a line.
const journalLog = "journal.log"

// A journal writes journal files. Records are written one by one and unbuffered:
// what an update has returned from is in the file. Nothing is synced, so that
// this holds when the process is killed, not when the power fails. The instance's
// mutex guards it.
type journal struct {
	cfg  *Config
	list []string // all files, oldest first
	f    *os.File
	end  int64
	buf  []byte
	work sync.WaitGroup // compressions
	err  error          // of compressions; guarded by the mutex below
	mu   sync.Mutex
}

// current returns the path of the file that is written to.
func (j *journal) current() string { return j.list[len(j.list)-1] }

// seq returns the number of the current file; numbers grow.
func (j *journal) seq() int { return len(j.list) - 1 }

// readJournalLog returns the files in a journal.log; none if it does not exist.
func readJournalLog(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list, nil
}

// begin makes a new journal file, in the primary directory or, if that fails, in
// the alternate, and names it in journal.log. prevEnd is how many bytes the file
// before has, without its end record.
func (j *journal) begin(prevEnd int64) error {
	var errs []error
	for _, dir := range slices.Compact([]string{j.cfg.JournalDir, j.cfg.AlternateDir}) {
		err := j.beginIn(dir, prevEnd)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("begin a journal file: %w", errors.Join(errs...))
}

func (j *journal) beginIn(dir string, prevEnd int64) error {
	if err := os.MkdirAll(dir, 0o770); err != nil {
		return err
	}
	now := j.cfg.Now()
	name := filepath.Join(dir, j.nextName(now))
	head := journalHead{Name: name, Created: now, Count: len(j.list) + 1, PrevEnd: prevEnd}
	if len(j.list) > 0 {
		head.Prev = j.current()
	}
	b, err := head.encode()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o660)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(b, 0); err == nil {
		err = appendLine(filepath.Join(j.cfg.Dir, journalLog), name)
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(name))
	}
	j.list = append(j.list, name)
	j.f, j.end = f, journalHeader
	return nil
}

// nextName returns the name of the next file: yyyymmdd.nnn, whose counter restarts
// every day (documented). It counts on from whatever exists of that day.
func (j *journal) nextName(now time.Time) string {
	day := now.Format("20060102")
	last := 0
	count := func(base string) {
		base = plainName(base)
		if n, err := strconv.Atoi(strings.TrimPrefix(base, day+".")); err == nil && strings.HasPrefix(base, day+".") {
			last = max(last, n)
		}
	}
	for _, name := range j.list {
		count(filepath.Base(name))
	}
	for _, dir := range []string{j.cfg.JournalDir, j.cfg.AlternateDir} {
		entries, _ := os.ReadDir(dir) // what cannot be read fails when the file is made
		for _, e := range entries {
			count(e.Name())
		}
	}
	return fmt.Sprintf("%s.%03d", day, last+1)
}

func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o660)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// append writes a record and returns its offset.
func (j *journal) append(r *record) (int64, error) {
	if r.Time == 0 {
		r.Time = j.cfg.Now().UnixNano()
	}
	j.buf = appendRecord(j.buf[:0], r)
	if _, err := j.f.WriteAt(j.buf, j.end); err != nil {
		return 0, fmt.Errorf("write the journal: %w", err)
	}
	at := j.end
	j.end += int64(len(j.buf))
	return at, nil
}

// rotate closes the file and begins the next.
func (j *journal) rotate() error {
	old, oldEnd := j.f, j.end
	name := j.current()
	if err := j.begin(oldEnd); err != nil {
		return err // and the journal goes on in the old one
	}
	if err := writeEnd(old, oldEnd, j.current(), j.cfg.Now()); err != nil {
		return err
	}
	j.compress(name)
	return nil
}

// writeEnd ends a file in order and closes it.
func writeEnd(f *os.File, at int64, next string, now time.Time) error {
	b := appendRecord(nil, &record{Type: recEnd, Key: next, Time: now.UnixNano()})
	_, err := f.WriteAt(b, at)
	return errors.Join(err, f.Close())
}

// compress replaces a closed file by a compressed one, if that is wanted, beside
// everything else.
func (j *journal) compress(name string) {
	if !j.cfg.CompressJournals {
		return
	}
	j.work.Go(func() {
		if err := compressFile(name); err != nil {
			j.mu.Lock()
			j.err = errors.Join(j.err, err)
			j.mu.Unlock()
		}
	})
}

// compressFile makes name into name+"z". At every moment one of the two is whole.
func compressFile(name string) (err error) {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	tmp := name + "z.tmp"
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o660)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err == nil {
		_, err = io.Copy(z, in)
		err = errors.Join(err, z.Close())
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(fmt.Errorf("compress %s: %w", name, err), os.Remove(tmp))
	}
	if err := os.Rename(tmp, name+"z"); err != nil {
		return err
	}
	return os.Remove(name)
}

// closed waits for what goes on beside, and returns what went wrong with it.
func (j *journal) closed() error {
	j.work.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}
