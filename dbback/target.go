package dbback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"datfs/catalog"
)

// A target is a file that is being restored.
type target struct {
	*job
	r       *restorer
	f       *os.File // nil: a dry run, and there is no target
	dry     bool
	touched bool // content was changed and is not synced yet; the marker is there
	noPunch bool // the file system cannot make holes
}

// openTarget opens a job's target, or creates it with the directories above. A
// dry run opens it for reading, if it is there.
func (r *restorer) openTarget(j *job) (*target, error) {
	t := &target{job: j, r: r, dry: r.opts.DryRun}
	// What is at the path may have changed since it was planned: O_NOFOLLOW and
	// O_NONBLOCK for a symbolic link or a pipe.
	flags := os.O_RDWR | unix.O_NOFOLLOW | unix.O_NONBLOCK
	switch {
	case t.dry && j.size < 0:
		return t, nil
	case t.dry:
		flags = os.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK
	case j.size < 0:
		if err := r.makeDirs(filepath.Dir(j.target)); err != nil {
			return nil, err
		}
		if err := t.touch(); err != nil {
			return nil, err
		}
		flags |= os.O_CREATE
	}
	// Nobody else reads it before it has its owner and mode.
	f, err := os.OpenFile(j.target, flags, 0o600)
	if err != nil {
		return nil, err
	}
	t.f = f
	st, err := f.Stat()
	if err == nil {
		err = regular(j.target, st.Mode())
	}
	if err == nil && !t.dry {
		err = lockTarget(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if t.size < 0 && r.opts.KeepOwner { // at once: a restore that goes on after a kill finds it there
		r.own(t)
	}
	t.size = st.Size()
	return t, nil
}

// touch puts the marker beside the target, before its content is changed for the
// first time: a target that is found without a marker is whole, or as it was.
func (t *target) touch() error {
	if t.touched {
		return nil
	}
	name := markerPath(t.target)
	text := fmt.Sprintf("%s"+markerText+"%s, or its restore was interrupted.\n"+
		"While this file is here the content is not whole. Repeat the restore:\n"+
		"it writes only what is still different, and removes this file.\n",
		filepath.Base(t.target), t.r.opts.Set)
	f, err := openMarker(name)
	if err != nil {
		return err
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteString(text)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	t.touched = true
	return syncDir(filepath.Dir(name))
}

// update makes the target's content the stored file's, or in a dry run only
// counts. It returns how many bytes of holes had to be written as zeros.
func (t *target) update(ctx context.Context, f *RestoredFile) (zeros int64, err error) {
	common := min(max(t.size, 0), t.info.Size)
	if !t.dry && t.size != t.info.Size {
		if err := t.touch(); err != nil { // the marker first: see touch
			return 0, err
		}
		if err := t.f.Truncate(t.info.Size); err != nil {
			return 0, err
		}
	}
	reader := t.file.Reader()
	apply := func(c catalog.Range) error {
		if !c.Hole {
			return t.copy(ctx, reader, c, f)
		}
		n, err := t.makeHole(ctx, c)
		f.WrittenBytes += n
		zeros += n
		return err
	}
	if err := t.compare(ctx, common, apply); err != nil {
		return zeros, err
	}
	return zeros, t.rest(ctx, common, apply)
}

// compare reads the target up to an offset and calls apply for all that differs.
func (t *target) compare(ctx context.Context, end int64, apply func(catalog.Range) error) error {
	block := int64(t.info.BlockSize)
	piece := pieceSize / block * block
	for off := int64(0); off < end; {
		if err := t.pause(ctx); err != nil {
			return err
		}
		next, err := t.skipHoles(off, end)
		if err != nil {
			return err
		}
		if next = next / block * block; next > off {
			t.r.opts.Progress.Add(next - off)
			off = next
			continue
		}
		have := t.r.have[:min(piece, end-off)]
		if _, err := t.f.ReadAt(have, off); err != nil {
			return fmt.Errorf("compare %s: %w", t.target, err)
		}
		ranges, err := t.file.Diff(have, off)
		if err != nil {
			return fmt.Errorf("compare %s: %w", t.target, err)
		}
		for _, c := range ranges {
			if err := apply(c); err != nil {
				return err
			}
		}
		// What was read and not changed need not stay in memory.
		_ = unix.Fadvise(int(t.f.Fd()), off, int64(len(have)), unix.FADV_DONTNEED)
		off += int64(len(have))
		t.r.opts.Progress.Add(int64(len(have)))
	}
	return nil
}

// skipHoles returns the first offset from off on where the target or the stored
// file has data, at most end: where both have holes, nothing is to be compared.
func (t *target) skipHoles(off, end int64) (int64, error) {
	stored, err := t.file.SeekData(off)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("compare %s: %w", t.target, err)
	}
	if err != nil {
		stored = end
	}
	if stored <= off {
		return off, nil
	}
	return min(stored, nextData(t.f, off, end), end), nil
}

// nextData returns where the data at or after an offset of a file begins, end if
// there is none before it.
func nextData(f *os.File, off, end int64) int64 {
	data, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	switch {
	case err == nil:
		return data
	case errors.Is(err, unix.ENXIO):
		return end
	}
	return off // the file system does not know: to be read
}

// rest calls apply for the data of the stored file from an offset on, where
// the target has a hole.
func (t *target) rest(ctx context.Context, off int64, apply func(catalog.Range) error) error {
	for off < t.info.Size {
		if err := t.pause(ctx); err != nil {
			return err
		}
		data, err := t.file.SeekData(off)
		if errors.Is(err, io.EOF) {
			data, err = t.info.Size, nil
		}
		end := data
		if err == nil && data < t.info.Size {
			end, err = t.file.SeekHole(data)
		}
		if err != nil {
			return fmt.Errorf("read %s of the set: %w", t.info.Path, err)
		}
		// In pieces, for the sake of progress and of ctx.
		if data <= off {
			end = min(end, off+pieceSize)
			if err := apply(catalog.Range{Off: off, Len: end - off}); err != nil {
				return err
			}
			data = end
		}
		t.r.opts.Progress.Add(data - off)
		off = data
	}
	return nil
}

// copy writes a stretch of the stored file to the target.
func (t *target) copy(ctx context.Context, from io.ReaderAt, c catalog.Range, f *RestoredFile) error {
	for c.Len > 0 {
		if err := t.pause(ctx); err != nil {
			return err
		}
		buf := t.r.buf[:min(c.Len, pieceSize)]
		if !t.dry {
			if n, err := from.ReadAt(buf, c.Off); n < len(buf) {
				return fmt.Errorf("read %s of the set: %w", t.info.Path, err)
			}
			if err := t.touch(); err != nil {
				return err
			}
			if _, err := t.f.WriteAt(buf, c.Off); err != nil {
				return err
			}
			// Begin writing to disk, or all of it is left to the sync at the end:
			// minutes in which nothing seems to happen. Only a hint.
			_ = unix.SyncFileRange(int(t.f.Fd()), c.Off, int64(len(buf)), unix.SYNC_FILE_RANGE_WRITE)
		}
		c.Off += int64(len(buf))
		c.Len -= int64(len(buf))
		f.WrittenBytes += int64(len(buf))
	}
	return nil
}

// makeHole makes a stretch of the target a hole, or all zeros where the file system
// has no holes. It returns how many zeros it wrote.
func (t *target) makeHole(ctx context.Context, c catalog.Range) (zeros int64, err error) {
	if t.dry {
		return 0, nil
	}
	if err := t.touch(); err != nil {
		return 0, err
	}
	if !t.noPunch {
		const mode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
		err := unix.Fallocate(int(t.f.Fd()), mode, c.Off, c.Len)
		if err == nil {
			return 0, nil
		}
		if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOSYS) {
			return 0, &fs.PathError{Op: "punch hole in", Path: t.target, Err: err}
		}
		t.noPunch = true
	}
	clear(t.r.buf)
	for c.Len > zeros {
		if err := t.pause(ctx); err != nil {
			return zeros, err
		}
		n, err := t.f.WriteAt(t.r.buf[:min(c.Len-zeros, pieceSize)], c.Off+zeros)
		zeros += int64(n)
		if err != nil {
			return zeros, err
		}
	}
	return zeros, nil
}

// pause is between two pieces: it returns the context's error.
func (t *target) pause(ctx context.Context) error {
	if t.r.opts.afterPiece != nil {
		t.r.opts.afterPiece()
	}
	return ctx.Err()
}

// finish gives a target whose content is whole its attributes, makes all of it
// durable, and only then removes the marker. The owner comes before the mode,
// since changing it clears setuid; the time last, since all the rest changes it.
func (r *restorer) finish(t *target) error {
	if !r.opts.KeepOwner { // else it had one before, or was given it when it was made
		r.own(t)
	}
	if err := t.f.Chmod(t.info.FileMode()); err != nil {
		return err
	}
	if err := setModTime(t.target, t.info.ModTime); err != nil {
		return err
	}
	if err := t.f.Sync(); err != nil {
		return err
	}
	// The page cache has better uses than a restored database.
	_ = unix.Fadvise(int(t.f.Fd()), 0, 0, unix.FADV_DONTNEED)
	dir := filepath.Dir(t.target)
	if err := syncDir(dir); err != nil {
		return err
	}
	err := os.Remove(markerPath(t.target))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	t.touched = false
	return syncDir(dir)
}

// own gives a target its owner.
func (r *restorer) own(t *target) {
	owner := Owner{int(t.info.UID), int(t.info.GID)}
	if r.opts.Owner != nil {
		owner = *r.opts.Owner
	}
	r.tryOwner(t.target, t.f.Chown(owner.UID, owner.GID))
}

func (t *target) close() error {
	if t.f == nil {
		return nil
	}
	return t.f.Close()
}
