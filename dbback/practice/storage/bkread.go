package storage

import (
	"context"
	"encoding/json"
	"fmt"
)

// ReadBackup reads a backup file to its end, checks every part, and returns what
// its label and its trailer say.
func ReadBackup(ctx context.Context, path string) (*BackupInfo, error) {
	var info *BackupInfo
	size := int64(len(backupMagic))
	err := readParts(ctx, path, func(typ byte, p []byte) error {
		size += int64(partHead + len(p) + 4)
		if typ == partTrailer {
			info = &BackupInfo{}
			return json.Unmarshal(p, info)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	info.Bytes = size
	return info, nil
}

// readParts calls fn for every part of a backup file, up to the trailer. What is
// in the parts is checked: fn gets whole blocks of databases that the label names.
func readParts(ctx context.Context, path string, fn func(typ byte, p []byte) error) (err error) {
	r, err := openBackup(path)
	if err != nil {
		return err
	}
	defer func() { _ = r.close() }()
	c := partChecker{r: r}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		typ, p, err := r.next()
		if err == nil {
			err = c.check(typ, p)
		}
		if err == nil {
			err = fn(typ, p)
		}
		if err != nil || typ == partTrailer {
			return err
		}
	}
}

// A partChecker checks that the parts of a backup file make sense together.
type partChecker struct {
	r      *partReader
	label  *BackupInfo
	counts []int64
	cur    int
	begun  bool
}

func (c *partChecker) check(typ byte, p []byte) error {
	if (typ == partLabel) != (c.label == nil) {
		return c.r.bad("the label is missing or twice")
	}
	switch typ {
	case partLabel:
		c.label = &BackupInfo{}
		if err := json.Unmarshal(p, c.label); err != nil {
			return c.r.bad(err.Error())
		}
		c.counts = make([]int64, len(c.label.Databases))
	case partMarker:
	case partCopy:
		if len(p) != 4 || int(le.Uint16(p[2:])) >= len(c.counts) {
			return c.r.bad("a database is none of the label's")
		}
		c.cur, c.begun = int(le.Uint16(p[2:])), true
	case partBlock:
		if !c.begun || len(p) != 4+BlockSize || le.Uint32(p) >= blocksPerMap {
			return c.r.bad("a block is not one")
		}
		if n := le.Uint32(p); le.Uint32(p[4+sumOffset(n):]) != blockSum(p[4:], n) {
			return c.r.bad(fmt.Sprintf("the checksum in block %d is wrong", n))
		}
		c.counts[c.cur]++
	case partTrailer:
		return c.trailer(p)
	default:
		return c.r.bad("a part is of no known type")
	}
	return nil
}

// trailer compares the trailer with what was read.
func (c *partChecker) trailer(p []byte) error {
	var info BackupInfo
	if err := json.Unmarshal(p, &info); err != nil {
		return c.r.bad(err.Error())
	}
	if len(info.Databases) != len(c.counts) {
		return c.r.bad("label and trailer disagree on the databases")
	}
	for i, d := range info.Databases {
		if d.Directory != c.label.Databases[i].Directory || d.Blocks != c.counts[i] {
			return c.r.bad(fmt.Sprintf("%s: the trailer says %d blocks, there are %d", d.Directory, d.Blocks, c.counts[i]))
		}
		if d.FileSize < 0 || d.FileSize > blocksPerMap*BlockSize {
			return c.r.bad(fmt.Sprintf("%s: a database of %d bytes", d.Directory, d.FileSize))
		}
	}
	return nil
}
