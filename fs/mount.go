package fs

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"datfs/catalog"
)

const (
	// maxRequest is the largest read request, in bytes. Larger ones need a kernel
	// that was told so, and gained nothing when measured.
	maxRequest = 1 << 20

	// maxBackground is how many requests the kernel may have under way for
	// reading ahead. The library's 12 is too few to keep the cores decoding.
	maxBackground = 64

	// defaultReadAheadKiB is how far the kernel reads ahead of a sequential
	// reader. FUSE starts with 128, which also caps each request.
	defaultReadAheadKiB = 4096

	// fsType is the type of the mount in /proc/self/mountinfo.
	fsType = "fuse." + fsName
	fsName = "datfs"
)

// Options configures Mount. The zero value is usable.
type Options struct {
	Logger       *slog.Logger // nil means slog.Default()
	AllowOther   bool         // let other users in; needs user_allow_other in /etc/fuse.conf unless mounted by root
	DirectIO     bool         // past the page cache: faster for a restore that reads once, slower for all else
	ReadAheadKiB int          // 0 means 4096; only root can raise it above 128
	Debug        bool         // log every request

	// Documents makes files for the directory of a sealed set, such as a
	// RESTORE.md; dir is the absolute path of that directory. It is called when
	// somebody looks into it for the first time. Nil makes none.
	Documents func(set *catalog.SetInfo, dir string) []Document
}

// A Server serves one mount.
type Server struct {
	point mountPoint
	done  chan struct{} // closed after the last request
}

// mount is what the nodes of a mount share.
type mount struct {
	repoDir  string
	log      *slog.Logger
	directIO bool
	list     listing
	open     openSets
	seen     recent
}

// Mount shows repo at the directory dir and serves it until it is unmounted, by
// Server.Unmount, Unmount or any other program. dir must be an empty directory
// outside of the repository. The repository must stay open until Wait returns.
func Mount(repo *catalog.Repository, dir string, opts Options) (*Server, error) {
	at, err := checkMountPoint(dir, repo.Dir())
	if err != nil {
		return nil, err
	}
	m := newMount(repo, at, opts)
	if _, err := m.list.tree(); err != nil {
		return nil, fmt.Errorf("mount %s: %w", dir, err)
	}
	root := new(dirNode)
	root.mount = m // and its path is empty
	served, err := gofs.Mount(at, root, m.options(opts))
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", dir, explain(err, opts))
	}
	s := &Server{done: make(chan struct{})}
	go func() {
		served.Wait()
		m.open.closeAll()
		close(s.done)
	}()
	if s.point, err = findMount(at); err != nil {
		return nil, errors.Join(fmt.Errorf("mount %s: %w", dir, err), served.Unmount())
	}
	raiseReadAhead(s.point, opts.ReadAheadKiB)
	return s, nil
}

func newMount(repo *catalog.Repository, dir string, opts Options) *mount {
	m := &mount{repoDir: repo.Dir(), log: opts.Logger, directIO: opts.DirectIO}
	if m.log == nil {
		m.log = slog.Default()
	}
	started := time.Now()
	m.open.open, m.open.limit = repo.OpenSet, maxIdle
	m.list = listing{
		sets: repo.Sets,
		build: func(sets []*set, broken unreadable) *entry {
			return newTree(sets, broken, started, func(newest *set) []byte { return readmeText(m.repoDir, dir, newest) })
		},
		gone: m.open.forget,
		with: extras{at: dir, documents: opts.Documents, readNote: repo.ReadNote},
		log:  m.log,
	}
	return m
}

// Wait returns when the mount is gone and all requests are answered.
func (s *Server) Wait() error {
	<-s.done
	return nil
}

// Unmount ends the mount, if another program hasn't, and waits as Wait does. It
// fails with ErrBusy while a file in it is open or a program has its working
// directory there.
func (s *Server) Unmount() error {
	select {
	case <-s.done:
		return nil // and another mount may be there by now, even with the same number
	default:
	}
	if err := s.point.unmount(); err != nil && !errors.Is(err, ErrNotMounted) {
		return err
	}
	return s.Wait()
}

// options returns what the library is told.
func (m *mount) options(opts Options) *gofs.Options {
	level := slog.LevelWarn
	if opts.Debug {
		level = slog.LevelInfo
	}
	o := &gofs.Options{
		MountOptions: fuse.MountOptions{
			FsName:     fsName + ":" + m.repoDir,
			Name:       fsName,
			AllowOther: opts.AllowOther,
			// With default_permissions the kernel enforces the modes, which matters
			// as soon as other users are let in.
			Options:          []string{"ro", "default_permissions"},
			DirectMount:      os.Geteuid() == 0, // does not need fuse3 to be installed
			DirectMountFlags: syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_RDONLY,
			MaxWrite:         maxRequest,
			MaxBackground:    maxBackground,
			DisableXAttrs:    true, // saves a round trip for each file that rsync -X or ls looks at
			// Nothing is spliced: a frame must be decoded. Left on, the library
			// tries for each 1 MiB reply and logs that the pipe is too small.
			DisableSplice: true,
			// Not used, and it would forbid to lay an overlay over the mount.
			DisabledCapabilities: fuse.CAP_PASSTHROUGH,
			ExtraCapabilities:    fuse.CAP_DIRECT_IO_ALLOW_MMAP,
			PanicHandler:         m.panicked,
			Logger:               slog.NewLogLogger(m.log.Handler(), level),
			Debug:                opts.Debug,
		},
		NullPermissions: true, // a mode of 0000 is the original's too
		RootStableAttr:  &gofs.StableAttr{Ino: rootIno},
		Logger:          slog.NewLogLogger(m.log.Handler(), slog.LevelWarn),
	}
	return o
}

// panicked keeps a bug in one request from ending the mount for all.
func (m *mount) panicked(v any) fuse.Status {
	m.log.Error("fuse request panicked", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	return fuse.EIO
}

// explain adds to an error of mounting what to do about it. Most of them have
// been written to standard error by fusermount3 already, and all that is left is
// its exit code.
func explain(err error, opts Options) error {
	err = errors.New(strings.TrimSpace(err.Error()))
	dev, devErr := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if devErr == nil {
		_ = dev.Close()
	}
	_, toolErr := exec.LookPath("fusermount3")
	root := os.Geteuid() == 0
	switch {
	case devErr != nil:
		return fmt.Errorf("%w (%w; is the kernel module fuse loaded?)", err, devErr)
	case toolErr != nil && !root:
		return fmt.Errorf("%w (%w: install the package fuse3)", err, toolErr)
	case opts.AllowOther && !root:
		return fmt.Errorf("%w (letting others in needs user_allow_other in /etc/fuse.conf)", err)
	}
	return err
}

// raiseReadAhead makes the kernel read further ahead in the mount. Without the
// permission for that, the mount is slower and otherwise the same.
func raiseReadAhead(p mountPoint, kib int) {
	if kib == 0 {
		kib = defaultReadAheadKiB
	}
	_ = os.WriteFile("/sys/class/bdi/"+p.device+"/read_ahead_kb", []byte(strconv.Itoa(kib)), 0)
}
