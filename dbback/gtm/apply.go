package gtm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// editHeader changes the file header of a database that no engine has open.
func editHeader(path string, edit func(b []byte, h *Header)) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	b := make([]byte, HeaderSize)
	if _, err = f.ReadAt(b, 0); err == nil {
		var h *Header
		if h, err = ParseHeader(b); err == nil {
			edit(b, h)
			_, err = f.WriteAt(b, 0)
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("header of %s: %w", path, err)
	}
	return nil
}

// apply makes a copy consistent with its incremental.
func (r *restorer) apply(ctx context.Context, d *restoredDB) error {
	// First of all: the engine agrees that nobody has this file open.
	if _, err := r.tools.mupip(ctx, quick, "rundown", "-file", quote(d.Target)); err != nil {
		return err
	}
	if d.incremental == "" {
		return r.applyNothing(ctx, d)
	}
	if r.opts.Consistent {
		return r.integ(ctx, d)
	}
	inc, err := openIncremental(d.incremental)
	if err != nil {
		return err
	}
	d.Blocks = inc.Records
	if err := inc.Close(); err != nil {
		return err
	}
	r.opts.Log("region %s: apply the incremental, %s", d.Region, plural(int(d.Blocks), "block"))
	if err := prepare(d); err != nil {
		return err
	}
	out, err := r.tools.mupip(ctx, long, "restore", quote(d.Target), quote(d.incremental))
	if err != nil {
		return err
	}
	if !strings.Contains(out, "-I-RESTORESUCCESS") {
		return errors.New("mupip restore did not say that it was successful")
	}
	return r.integ(ctx, d)
}

// applyNothing makes a copy of a database that nobody ever wrote to into one of
// its own: it is not to go on with the journal of the original.
func (r *restorer) applyNothing(ctx context.Context, d *restoredDB) error {
	h, err := readHeaderFile(d.Target)
	if err != nil {
		return err
	}
	if h.Journal != JournalDisabled {
		if _, err := r.tools.mupip(ctx, quick, "set", "-journal=disable", "-file", quote(d.Target)); err != nil {
			return err
		}
	}
	return r.integ(ctx, d)
}

// prepare makes a dirty copy into what MUPIP RESTORE takes.
func prepare(d *restoredDB) error {
	// RESTORE wants the database's transaction number to be the incremental's
	// start. That in the copy is later by what was written while it was taken.
	var size int64
	err := editHeader(d.Target, func(b []byte, h *Header) {
		setTN(b, h.Format, d.StartTN)
		size = h.FileSize()
	})
	if err != nil {
		return err
	}
	return grow(d.Target, size)
}

// grow makes a file at least size bytes long: a copy may have been read to the
// size that the file had before its header was.
func grow(path string, size int64) error {
	st, err := os.Stat(path)
	if err != nil || st.Size() >= size {
		return err
	}
	return os.Truncate(path, size)
}

// An IntegError is a database that MUPIP INTEG found damaged.
type IntegError struct {
	Path   string
	Output string
}

func (e *IntegError) Error() string {
	return fmt.Sprintf("%s: mupip integ found errors: %s", e.Path, firstComplaint(e.Output))
}

// integ checks a database that nobody has open.
func (r *restorer) integ(ctx context.Context, d *restoredDB) error {
	r.opts.Log("region %s: check", d.Region)
	out, err := r.tools.mupip(ctx, long, "integ", "-file", quote(d.Target))
	if err != nil && ctx.Err() == nil {
		return errors.Join(&IntegError{d.Target, out}, err)
	}
	if err == nil && !strings.Contains(out, "No errors detected by integ.") {
		return &IntegError{d.Target, out}
	}
	return err
}

// mapLine matches a line of GDE's map of regions to segments.
var mapLine = regexp.MustCompile(`(REG|SEG) = ([A-Za-z0-9_%$]+)`)

// segments returns the segment of each region, from what GDE SHOW -MAP prints.
func segments(text string) map[string]string {
	out := make(map[string]string)
	reg := ""
	for _, m := range mapLine.FindAllStringSubmatch(text, -1) {
		if m[1] == "REG" {
			reg = m[2]
		} else if reg != "" {
			out[reg] = m[2]
		}
	}
	return out
}

// makeGbldir makes a global directory that leads to the restored databases, from
// the stored one. Its place is that of the original, below the directory that is
// restored to. What of it does not belong to this restore, regions that are left
// out, would lead to the original databases: it leads nowhere.
func (r *restorer) makeGbldir(ctx context.Context) error {
	stored := filepath.Join(r.work, string(r.gbldir.Section), r.gbldir.Path)
	origin := r.gbldir.Origin
	if origin == "" {
		origin = "/" + r.gbldir.Path
	}
	target := filepath.Join(r.opts.To, filepath.Clean("/"+origin))
	r.tools.gbldir = stored
	if _, err := os.Stat(target); err == nil && r.opts.To == "/" {
		// Everything goes back to where it was, and the global directory never left.
		r.report.Gbldir, r.tools.gbldir = target, target
		return nil
	}
	out, err := r.tools.gde(ctx, "show -map", "quit")
	if err != nil {
		return err
	}
	changes, err := r.gdeChanges(segments(out))
	if err != nil {
		return err
	}
	if out, err = r.tools.gde(ctx, append(changes, "exit")...); err != nil {
		return err
	}
	if !strings.Contains(out, "-I-GDUPDATE") {
		return fmt.Errorf("the global directory editor did not update %s", stored)
	}
	b, err := os.ReadFile(stored)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(target), 0o755)
	}
	if err == nil {
		err = os.WriteFile(target, b, r.gbldir.FileMode())
	}
	r.report.Gbldir, r.tools.gbldir = target, target
	return err
}

// gdeChanges returns the commands that make every segment lead to its restored
// file. -file takes the rest of the line, so it comes last.
func (r *restorer) gdeChanges(segments map[string]string) ([]string, error) {
	restored := make(map[string]string)
	for _, d := range r.dbs {
		if segments[d.Region] == "" {
			return nil, fmt.Errorf("the stored global directory has no segment for region %s", d.Region)
		}
		restored[d.Region] = d.Target
	}
	var out []string
	for region, segment := range segments {
		file, ok := restored[region]
		if !ok {
			file = filepath.Join(r.opts.To, "not-restored", strings.ToLower(fileName(region))+".dat")
		}
		out = append(out, "change -segment "+segment+" -file="+quote(file))
	}
	return out, nil
}
