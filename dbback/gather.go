package dbback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"datfs/catalog"
)

// storeFiles stores files that are not databases. A file that cannot be read is
// an error if without it nothing is worth anything (vital); else it makes the
// set incomplete if it is needed, and is a warning if not.
func (p *procedure) storeFiles(ctx context.Context, files []StoredFile, vital bool) error {
	for _, f := range files {
		p.opts.Progress.SetCurrent(f.Path)
		err := p.storeFile(ctx, f)
		if errors.Is(err, fs.ErrNotExist) && f.Suffix != "" {
			p.renamed(f.Name, f.Name+f.Suffix)
			f.Path, f.Name = f.Path+f.Suffix, f.Name+f.Suffix
			err = p.storeFile(ctx, f)
		}
		if err == nil {
			continue
		}
		if _, ok := errors.AsType[*catalog.RepositoryError](err); ok || ctx.Err() != nil || vital && f.Needed {
			return fmt.Errorf("store %s: %w", f.Path, err)
		}
		p.problem(catalog.Problem{Path: f.Path, Error: reason(err), Fatal: f.Needed})
	}
	return nil
}

// renamed changes a journal file's name in the method.
func (p *procedure) renamed(from, to string) {
	if p.method.Journal == nil {
		return
	}
	for i, name := range p.method.Journal.Files {
		if name == from {
			p.method.Journal.Files[i] = to
		}
	}
}

func (p *procedure) storeFile(ctx context.Context, f StoredFile) error {
	_, err := storeFile(ctx, p.w, p.opts.Progress, f, nil)
	return err
}

// storeFile stores a file under the name that it is to have. check, if not nil, is
// called after its last byte: with an error of it the file is not stored.
func storeFile(ctx context.Context, w *catalog.SetWriter, progress *catalog.Progress, f StoredFile, check func(*source) error) (catalog.FileInfo, error) {
	src, err := openSource(f.Path)
	if err != nil {
		return catalog.FileInfo{}, err
	}
	defer func() { _ = src.Close() }()
	progress.SetTotal(progress.Total() + src.opened.Size)
	info := src.fileInfo(f.Name)
	info.Section, info.Origin = f.Section, f.Path
	end := func(info *catalog.FileInfo) error {
		info.SizeAtEnd, _, err = src.finish()
		if err == nil && check != nil {
			err = check(src)
		}
		return err
	}
	return w.Store(ctx, info, src, end)
}

// overlay stores the databases as they are after the incremental.
func (p *procedure) overlay(ctx context.Context, e Overlayer) error {
	for _, db := range p.method.Databases {
		files := p.w.Files()
		lower := copyOf(files, db)
		if lower < 0 {
			continue // it is a problem of the set already
		}
		over, err := e.Overlay(ctx, db, files[lower])
		if err == nil && over != nil {
			info := files[lower]
			info.Section = catalog.SectionConsistent
			_, err = p.w.StoreOver(ctx, info, lower, over.Size, over.Changes)
		}
		if _, ok := errors.AsType[*catalog.RepositoryError](err); ok || ctx.Err() != nil {
			return err
		}
		if err != nil {
			p.problem(catalog.Problem{Path: files[lower].Path, Error: fmt.Sprintf("not stored as it is after the incremental: %v", err)})
		}
	}
	return nil
}

// maxTranscripts bounds what is kept of all that was said in a run, in bytes.
const maxTranscripts = 16 << 20

// A transcript is what the instance was told and answered in one step.
type transcript struct {
	step string
	text strings.Builder
}

// transcript is the Run's Transcript.
func (p *procedure) transcript(step, text string) {
	kept := 0
	for i := range p.transcripts {
		kept += p.transcripts[i].text.Len()
	}
	if kept+len(text) > maxTranscripts {
		text = text[:max(0, maxTranscripts-kept)] + "\n(the rest is left out)\n"
	}
	last := len(p.transcripts) - 1
	if last < 0 || p.transcripts[last].step != step {
		p.transcripts = append(p.transcripts, transcript{step: step})
		last++
	}
	p.transcripts[last].text.WriteString(text)
}

// storeTranscripts puts all transcripts into the set, a file each, named in
// order.
func (p *procedure) storeTranscripts(ctx context.Context) error {
	for i := range p.transcripts {
		t := &p.transcripts[i]
		info := catalog.FileInfo{
			Path:    fmt.Sprintf("%02d-%s.txt", i+1, t.step),
			Section: catalog.SectionTranscripts,
			Mode:    0o600,
			UID:     uint32(os.Getuid()),
			GID:     uint32(os.Getgid()),
			ModTime: time.Now(),
		}
		info.SizeAtOpen = int64(t.text.Len())
		info.SizeAtEnd = info.SizeAtOpen
		p.opts.Progress.SetTotal(p.opts.Progress.Total() + info.SizeAtOpen)
		src := catalog.FromReader(strings.NewReader(t.text.String()))
		if _, err := p.w.Store(ctx, info, src, nil); err != nil {
			return fmt.Errorf("store the transcript of %s: %w", t.step, err)
		}
	}
	return nil
}

// removeLeftovers removes what earlier runs of the instance left outside the
// repository because they were killed, and returns what could not be removed, as
// sentences. It comes before the preflight, which looks at the space that these
// may take. Only paths whose last element has the name of the set in it are
// touched: whoever wrote the set file cannot make us remove anything else.
func removeLeftovers(repo *catalog.Repository, opts BackupOptions) (failed []string) {
	sets, _ := repo.Sets() // a damaged set file is verify's to report
	for _, s := range sets {
		if s.Instance != opts.Instance || s.State == catalog.StateRunning {
			continue
		}
		for _, step := range s.Steps {
			for _, path := range step.Leaves {
				if !filepath.IsAbs(path) || !strings.Contains(filepath.Base(path), s.Name) {
					continue
				}
				if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
					continue
				}
				if err := RemoveUnused(path); err != nil {
					failed = append(failed, fmt.Sprintf("what the backup %s left cannot be removed: %v", s.SetName(), err))
					continue
				}
				opts.Log("removed %s, which the backup %s left", path, s.SetName())
			}
		}
	}
	return failed
}
