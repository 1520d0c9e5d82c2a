package fs

import (
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path"
	"syscall"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"datfs/catalog"
)

const (
	// sealedFor is how long the kernel may keep what it knows of a sealed set.
	// It never changes (I2); the limit only frees memory.
	sealedFor = time.Hour

	// changingFor is the same for what can change. It is also how long a listing
	// of the repository is used, so that find(1) makes one, not one an entry.
	changingFor = time.Second

	// rootIno is the number of the root directory, by custom.
	rootIno = 1
)

// attr is what stat(2) says of an entry, but for its inode number.
type attr struct {
	mode     uint32 // type and permission bits, as st_mode
	uid, gid uint32
	mtime    time.Time
	size     int64
	zero     int64 // of size: bytes in holes
}

// dirAttr returns the attributes of a directory that has no original.
func dirAttr(mtime time.Time) attr {
	return attr{mode: syscall.S_IFDIR | 0o755, mtime: mtime}
}

// privateDirAttr returns those of a directory that only who mounted may enter:
// below it files stand without the directories that guarded them originally.
func privateDirAttr(mtime time.Time) attr {
	return attr{mode: syscall.S_IFDIR | 0o700, uid: uint32(os.Geteuid()), gid: uint32(os.Getegid()), mtime: mtime}
}

// textAttr returns the attributes of a file that this package makes. Its size
// is that of the text.
func textAttr(mtime time.Time) attr {
	return attr{mode: syscall.S_IFREG | 0o444, mtime: mtime}
}

// fileAttr returns the attributes of a stored file.
func fileAttr(f *catalog.FileInfo) attr {
	return attr{
		mode: syscall.S_IFREG | f.Mode&0o7777, uid: f.UID, gid: f.GID,
		mtime: f.ModTime, size: f.Size, zero: f.ZeroBytes,
	}
}

// originalDirAttr returns the attributes of a directory above stored files.
func originalDirAttr(d *catalog.DirInfo) attr {
	return attr{mode: syscall.S_IFDIR | d.Mode&0o7777, uid: d.UID, gid: d.GID, mtime: d.ModTime}
}

// fill sets out. Blksize must not be 0, or the library puts its own idea of
// Blocks in place of ours.
func (a *attr) fill(out *fuse.Attr, size int64) {
	out.Mode = a.mode
	out.Uid, out.Gid = a.uid, a.gid
	out.Nlink = 1
	out.Size = uint64(size)
	// Rounded up: tar takes a file with a size and no blocks for one hole and
	// does not even read it.
	out.Blocks = uint64((max(size-a.zero, 0) + 511) / 512)
	out.Blksize = 4096
	out.SetTimes(&a.mtime, &a.mtime, &a.mtime)
}

// fill sets out to what stat(2) says of the entry now.
func (e *entry) fill(out *fuse.Attr) {
	a := e.attr
	if e.changed != nil {
		a.mtime = e.changed()
	}
	a.fill(out, e.size())
}

// identity returns what makes the entry at p one and the same for the kernel
// and for go-fuse, which takes two nodes of equal identity for one file. Its
// 64 bits of inode number can be made to collide, so the generation, which only
// NFS would look at, adds as many again: a set with hostile file names may
// confuse rsync -H but never shows one file's bytes as another's.
func identity(p string, mode uint32) gofs.StableAttr {
	sum := sha256.Sum256([]byte(p))
	return gofs.StableAttr{
		Mode: mode & syscall.S_IFMT,
		Ino:  inode(sum[:8]),
		Gen:  binary.BigEndian.Uint64(sum[8:]),
	}
}

// inode makes an inode number of 8 bytes of hash: not negative for programs
// that keep it in a signed integer, apart from go-fuse's own numbers, which
// start at 1<<63, and not 0 or rootIno.
func inode(b []byte) uint64 {
	n := binary.BigEndian.Uint64(b) &^ (1 << 63)
	if n <= rootIno {
		n += 2
	}
	return n
}

// entryIno returns the inode number of the entry at p.
func entryIno(p string) uint64 {
	if p == "" {
		return rootIno
	}
	return identity(p, 0).Ino
}

// parentOf returns the path of the directory above p; the root is its own.
func parentOf(p string) string {
	if d := path.Dir(p); d != "." {
		return d
	}
	return ""
}
