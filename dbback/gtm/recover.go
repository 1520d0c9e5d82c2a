package gtm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"datfs/catalog"
)

// findJournals chooses the journal files that carry each database on from its
// incremental, and copies those that are not in the working directory into it.
func (r *restorer) findJournals() error {
	if r.opts.NoJournals {
		return nil
	}
	found, err := r.readJournals()
	if err != nil {
		return err
	}
	for _, d := range r.dbs {
		var files []*JournalFile
		for _, j := range found {
			if samePath(j.DataFile, d.Path) {
				files = append(files, j)
			}
		}
		if d.files, err = journalChain(d.Region, files, d.EndTN); err != nil {
			return err
		}
		if len(d.files) == 0 {
			if r.opts.Until.IsZero() {
				continue
			}
			return fmt.Errorf("a time to restore until: %w", &JournalGapError{Region: d.Region, From: d.EndTN})
		}
		if first := d.files[0].First; !r.opts.Until.IsZero() && r.opts.Until.Before(first) {
			return fmt.Errorf("region %s is consistent from %s on, not at %s: %w",
				d.Region, first.Local().Format(time.DateTime), r.opts.Until.Local().Format(time.DateTime), ErrTooEarly)
		}
		r.warnShort(d)
		for i, j := range d.files {
			if d.files[i], err = r.ownCopy(j, d.Region); err != nil {
				return err
			}
		}
	}
	return nil
}

// warnShort says so if a region's journals end before the time to restore to: the
// database may have been written to between the two. Of a file that was still
// written to, or was cut off, the header does not say where it ends.
func (r *restorer) warnShort(d *restoredDB) {
	last := d.files[len(d.files)-1]
	if r.opts.Until.IsZero() || last.Open || !last.Last.Before(r.opts.Until.Truncate(time.Second)) {
		return
	}
	r.report.Until = time.Time{}
	r.report.Warnings = append(r.report.Warnings, fmt.Sprintf(
		"region %s: the journals end at %s, before %s: what was written between the two is not restored; journal files of later are named with --journals",
		d.Region, last.Last.Local().Format(time.DateTime), r.opts.Until.Local().Format(time.DateTime)))
}

// readJournals reads the headers of the set's journal files and of those that
// were named.
func (r *restorer) readJournals() ([]*JournalFile, error) {
	var out []*JournalFile
	own := filepath.Join(r.work, string(catalog.SectionJournals))
	for _, f := range r.info.Files {
		if f.Section != catalog.SectionJournals {
			continue
		}
		j, err := ReadJournal(filepath.Join(own, f.Path))
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	for _, name := range r.opts.Journals {
		more, err := readNamed(name)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// readNamed reads the header of a journal file, or of all in a directory.
func readNamed(name string) ([]*JournalFile, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		j, err := ReadJournal(name)
		return []*JournalFile{j}, err
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	var out []*JournalFile
	for _, e := range entries {
		path := filepath.Join(name, e.Name())
		if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
			continue
		}
		j, err := ReadJournal(path)
		if errors.Is(err, ErrNotJournal) {
			continue // databases lie there too
		}
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no journal files", name)
	}
	return out, nil
}

// ownCopy returns a journal file that lies in the working directory, under a name
// that MUPIP takes: a live one is still written to, and recovery is to see nothing
// of that.
func (r *restorer) ownCopy(j *JournalFile, region string) (*JournalFile, error) {
	if strings.HasPrefix(j.Path, r.work+"/") && !strings.ContainsAny(filepath.Base(j.Path), " ()\t\n\"',=") {
		return j, nil
	}
	dir := filepath.Join(r.work, "more-journals")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fmt.Sprintf("%s.%016x.mjl", fileName(region), j.FirstTN))
	from, err := os.Open(j.Path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = from.Close() }()
	to, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return nil, err
	}
	copied := *j
	copied.Path = path
	return &copied, nil
}

// samePath returns whether two paths name one file, as far as can be seen: the
// original of a restore need not be there.
func samePath(a, b string) bool {
	if filepath.Clean(a) == filepath.Clean(b) {
		return true
	}
	resolve := func(p string) string {
		if dir, err := filepath.EvalSymlinks(filepath.Dir(p)); err == nil {
			return filepath.Join(dir, filepath.Base(p))
		}
		return p
	}
	return resolve(a) == resolve(b)
}

// recover applies the journals of all databases at once: a transaction over
// several is then applied in all of them or in none.
func (r *restorer) recover(ctx context.Context) error {
	var files, redirects []string
	for _, d := range r.dbs {
		for _, j := range d.files {
			files = append(files, strings.TrimPrefix(j.Path, r.work+"/")) // MUPIP takes no quotes around these
			d.Journals = append(d.Journals, filepath.Base(j.Path))
			if to := quote(j.DataFile) + "=" + quote(d.Target); !slices.Contains(redirects, to) && j.DataFile != d.Target {
				redirects = append(redirects, to)
			}
		}
	}
	if len(files) == 0 {
		return nil
	}
	r.opts.Log("apply %s", plural(len(files), "journal file"))
	for _, kind := range transactionKinds {
		if err := os.Remove(r.transactionsFile(kind)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err // it is of an earlier run
		}
	}
	// Only the files named: links between journals lead to those of the original.
	args := []string{
		"journal", "-recover", "-forward", "-nochain",
		"-losttrans=" + quote(r.transactionsFile("lost")),
		"-brokentrans=" + quote(r.transactionsFile("broken")),
	}
	if len(redirects) > 0 {
		args = append(args, "-redirect="+strings.Join(redirects, ","))
	}
	if !r.opts.Until.IsZero() {
		args = append(args, `-before="`+r.opts.Until.Local().Format("2-Jan-2006 15:04:05")+`"`)
	}
	out, err := r.tools.mupip(ctx, long, append(args, strings.Join(files, ","))...)
	if err != nil {
		return err
	}
	if !strings.Contains(out, "Recover successful") {
		return errors.New("mupip journal -recover did not say that it was successful")
	}
	r.warnTransactions()
	for _, d := range r.dbs {
		if err := r.integ(ctx, d); err != nil {
			return fmt.Errorf("region %s, after the journals: %w", d.Region, err)
		}
	}
	return nil
}

// transactionKinds are what MUPIP calls transactions that it does not apply.
var transactionKinds = []string{"broken", "lost"}

func (r *restorer) transactionsFile(kind string) string {
	return filepath.Join(r.work, kind+"-transactions.txt")
}

// warnTransactions keeps what recovery could not apply, and says so: transactions
// that the journals of some regions have and those of others have not.
func (r *restorer) warnTransactions() {
	for _, kind := range transactionKinds {
		name := r.transactionsFile(kind)
		if st, err := os.Stat(name); err == nil && st.Size() > 0 {
			r.opts.Keep = true
			r.report.Warnings = append(r.report.Warnings, fmt.Sprintf(
				"the journals of the regions do not end at the same moment: %s transactions were not applied, see %s", kind, name))
		}
	}
}
