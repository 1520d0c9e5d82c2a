package fs

import (
	"context"
	"syscall"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"datfs/catalog"
)

// node is what all nodes of the mount have in common. The library keeps the
// first node that it saw for an identity as long as the kernel knows it, so a
// node whose entry can change looks it up each time.
type node struct {
	gofs.Inode
	*mount
	path  string
	fixed *entry // nil if the entry can change
}

var (
	_ gofs.NodeGetattrer = (*node)(nil)
	_ gofs.NodeStatfser  = (*node)(nil)
)

// entry returns what the node stands for now.
func (n *node) entry() (*entry, error) {
	if n.fixed != nil {
		return n.fixed, nil
	}
	root, err := n.list.tree()
	if err != nil {
		return nil, err
	}
	if e := root.find(n.path); e != nil {
		return e, nil
	}
	return nil, catalog.ErrNotFound
}

// Getattr implements gofs.NodeGetattrer.
func (n *node) Getattr(_ context.Context, _ gofs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	e, err := n.entry()
	if err != nil {
		return n.errno("getattr", n.path, err)
	}
	e.fill(&out.Attr)
	out.SetTimeout(keepFor(e.fixed))
	return gofs.OK
}

// Statfs implements gofs.NodeStatfser: the size and the free space are those of
// the file system that holds the repository.
func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	var st syscall.Statfs_t
	if err := syscall.Statfs(n.repoDir, &st); err != nil {
		return n.errno("statfs", n.path, err)
	}
	out.FromStatfsT(&st)
	out.NameLen = maxName
	return gofs.OK
}

// keepFor returns how long the kernel may keep what it was told.
func keepFor(fixed bool) time.Duration {
	if fixed {
		return sealedFor
	}
	return changingFor
}

// dirNode is a directory.
type dirNode struct{ node }

var (
	_ gofs.NodeLookuper  = (*dirNode)(nil)
	_ gofs.NodeReaddirer = (*dirNode)(nil)
)

// Lookup implements gofs.NodeLookuper.
func (n *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	dir, err := n.entry()
	if err != nil {
		return nil, n.errno("lookup", n.path, err)
	}
	e := dir.child(name)
	if e == nil {
		return nil, n.errno("lookup", n.path, catalog.ErrNotFound)
	}
	e.fill(&out.Attr)
	out.SetEntryTimeout(keepFor(dir.fixed))
	out.SetAttrTimeout(keepFor(e.fixed))
	return n.NewInode(ctx, n.newNode(e), identity(e.path, e.attr.mode)), gofs.OK
}

// Readdir implements gofs.NodeReaddirer.
func (n *dirNode) Readdir(context.Context) (gofs.DirStream, syscall.Errno) {
	dir, err := n.entry()
	if err != nil {
		return nil, n.errno("readdir", n.path, err)
	}
	list := []fuse.DirEntry{
		{Name: ".", Mode: syscall.S_IFDIR, Ino: entryIno(n.path)},
		{Name: "..", Mode: syscall.S_IFDIR, Ino: entryIno(parentOf(n.path))},
	}
	for _, e := range dir.children().list {
		list = append(list, fuse.DirEntry{Name: e.name(), Mode: e.attr.mode, Ino: entryIno(e.path)})
	}
	return gofs.NewListDirStream(list), gofs.OK
}

// linkNode is a symbolic link.
type linkNode struct{ node }

var _ gofs.NodeReadlinker = (*linkNode)(nil)

// Readlink implements gofs.NodeReadlinker.
func (n *linkNode) Readlink(context.Context) ([]byte, syscall.Errno) {
	e, err := n.entry()
	if err != nil {
		return nil, n.errno("readlink", n.path, err)
	}
	return []byte(e.link), gofs.OK
}

// fileNode is a file, stored or made here.
type fileNode struct{ node }

var _ gofs.NodeOpener = (*fileNode)(nil)

// Open implements gofs.NodeOpener.
func (n *fileNode) Open(_ context.Context, flags uint32) (gofs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, n.errno("open", n.path, catalog.ErrSealed)
	}
	e, err := n.entry()
	if err != nil {
		return nil, 0, n.errno("open", n.path, err)
	}
	if e.text != nil {
		return &textHandle{text: e.text()}, openFlags(e.fixed, false), gofs.OK
	}
	if e.body != nil {
		text, err := e.body()
		if err != nil {
			return nil, 0, n.errno("open", n.path, err)
		}
		return &textHandle{text: text}, openFlags(e.fixed, false), gofs.OK
	}
	h, err := n.openFile(e)
	if err != nil {
		return nil, 0, n.errno("open", n.path, err)
	}
	return h, openFlags(e.fixed, n.directIO), gofs.OK
}

// openFlags tells the kernel how to treat an open file. What can change is read
// past the page cache: the size that the kernel knows may be a second old, and
// it would fill up with zeros to there, or cut off.
func openFlags(fixed, direct bool) uint32 {
	flags := uint32(fuse.FOPEN_NOFLUSH) // there is nothing to flush, so don't ask at each close
	if fixed && !direct {
		return flags | fuse.FOPEN_KEEP_CACHE
	}
	return flags | fuse.FOPEN_DIRECT_IO
}

// newNode returns the node of an entry.
func (m *mount) newNode(e *entry) gofs.InodeEmbedder {
	switch e.attr.mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		n := new(dirNode)
		n.is(m, e)
		return n
	case syscall.S_IFLNK:
		n := new(linkNode)
		n.is(m, e)
		return n
	default:
		n := new(fileNode)
		n.is(m, e)
		return n
	}
}

// is makes the node stand for e.
func (n *node) is(m *mount, e *entry) {
	n.mount, n.path = m, e.path
	if e.fixed {
		n.fixed = e
	}
}
