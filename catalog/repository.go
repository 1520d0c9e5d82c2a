package catalog

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"datfs/catalog/pack"
)

// FormatVersion is the version of the repository format that this program
// writes, and the newest that it reads.
const FormatVersion = 1

// Names in a repository.
const (
	configName  = "config"
	configCopy  = "config.copy" // the same: the key must not hang on one sector
	lockName    = "lock"
	catalogName = "catalog.db"
	packsName   = "packs"
	setsName    = "sets"
)

// config is the content of the file config.
type config struct {
	FormatVersion int    `json:"format_version"`
	ID            string `json:"id"`
	BlockIDKey    string `json:"block_id_key"` // hex; keys the block IDs
	Compression   string `json:"compression"`  // "zstd" or "none"
	Sum           string `json:"sum"`          // XXH64 of the fields above, see sum
}

// sum returns the checksum of all other fields: with a damaged key no block
// would be found again, and nothing else would notice.
func (c *config) sum() string {
	s := fmt.Sprintf("%d\n%s\n%s\n%s\n", c.FormatVersion, c.ID, c.BlockIDKey, c.Compression)
	return fmt.Sprintf("%016x", pack.Sum64([]byte(s)))
}

// A Repository is an open repository. It is safe for concurrent use.
type Repository struct {
	disk   disk
	config config
	key    pack.Key
	codec  pack.Codec
	lock   *fileLock
	mode   LockMode
	db     db
	packs  *packStore
	pages  *pageCache

	packSize int64 // a pack is finished when it has about this many bytes

	mu          sync.Mutex
	infos       map[string]cachedInfo       // by path of the .set file, for listings
	validations map[string]cachedValidation // by path of the note
}

// Init creates a repository in dir, which must not exist or be empty
// (ErrNotEmpty). The config is written last: what an interrupted Init left can
// be initialised again.
func Init(dir string) error { return initialize(dir, pack.NewKey()) }

func initialize(dir string, key pack.Key) error {
	name := dir // as the caller knows it
	dir, err := AbsPath(dir)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("init: %w", err)
	}
	if err := checkUnused(dir); err != nil {
		return fmt.Errorf("init %s: %w", name, err)
	}
	d := disk{dir: dir}
	l, err := d.lock(lockName, Exclusive)
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	defer func() { _ = l.release() }()
	if err := checkUnused(dir); err != nil { // another Init was faster
		return fmt.Errorf("init %s: %w", name, err)
	}
	for _, name := range []string{packsName, setsName} {
		if err := d.mkdir(name); err != nil {
			return fmt.Errorf("init: %w", err)
		}
	}
	// What an interrupted Init left of it may be half a file.
	if err := errors.Join(d.remove(catalogName), (&db{path: d.path(catalogName)}).create()); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	d.giveToOwner(catalogName)
	c := config{FormatVersion: FormatVersion, ID: pack.NewID().String(), BlockIDKey: hex.EncodeToString(key[:]), Compression: "zstd"}
	c.Sum = c.sum()
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	b = append(b, '\n')
	if err := d.replace(configCopy, b); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if err := errors.Join(d.replace(configName, b), d.syncDir("..")); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return nil
}

// checkUnused returns ErrNotEmpty unless a directory is empty or holds only what
// an interrupted Init leaves: an empty lock, and nothing that was ever stored.
func checkUnused(dir string) error {
	if st, err := os.Lstat(filepath.Join(dir, lockName)); err != nil || st.Size() > 0 || !st.Mode().IsRegular() {
		empty, err := emptyDir(dir, func(string) bool { return false })
		if err == nil && !empty {
			return ErrNotEmpty
		}
		return err
	}
	inited := map[string]bool{
		lockName: true, catalogName: true, packsName: true, setsName: true, configName + ".tmp": true,
		configCopy: true, configCopy + ".tmp": true,
	}
	empty, err := emptyDir(dir, func(name string) bool { return inited[name] })
	for _, name := range []string{packsName, setsName} {
		if err == nil && empty {
			empty, err = emptyDir(filepath.Join(dir, name), func(string) bool { return false })
		}
		if errors.Is(err, os.ErrNotExist) {
			empty, err = true, nil
		}
	}
	if err == nil && !empty {
		return ErrNotEmpty
	}
	return err
}

// Open opens the repository in dir. It returns ErrNotRepository, ErrNewerFormat
// or, if another process has the repository in a mode that excludes this one,
// ErrLocked.
func Open(dir string, mode LockMode) (*Repository, error) {
	dir, err := AbsPath(dir)
	if err != nil {
		return nil, err
	}
	r := &Repository{
		disk: disk{dir: dir}, mode: mode, packSize: packSize,
		infos: map[string]cachedInfo{}, validations: map[string]cachedValidation{},
	}
	if err := r.readConfig(); err != nil {
		return nil, fmt.Errorf("open repository %s: %w", dir, err)
	}
	if r.lock, err = r.disk.lock(lockName, mode); err != nil {
		return nil, fmt.Errorf("open repository %s: %w", dir, err)
	}
	r.db.path = r.disk.path(catalogName)
	if r.packs, err = newPackStore(dir); err != nil {
		return nil, errors.Join(err, r.lock.release())
	}
	if r.pages, err = newPageCache(); err != nil {
		return nil, errors.Join(err, r.lock.release())
	}
	return r, nil
}

// readConfig reads the config or, if that does not serve, its copy. (One flipped
// bit can make it look like that of a newer format: a repository of such a one
// has a copy that does.)
func (r *Repository) readConfig() error {
	err := r.readConfigFile(configName)
	if err != nil && r.readConfigFile(configCopy) == nil {
		return nil
	}
	return err
}

func (r *Repository) readConfigFile(name string) error {
	b, err := os.ReadFile(r.disk.path(name))
	if errors.Is(err, os.ErrNotExist) && errors.Is(checkUnused(r.disk.dir), ErrNotEmpty) && r.looksUsed() {
		return &CorruptError{Path: name, Err: errors.New("the file is missing, but packs and sets are there: bring it back from a copy")}
	}
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return ErrNotRepository
	}
	if err != nil {
		return err
	}
	r.config = config{}
	c := &r.config
	if err := json.Unmarshal(b, c); err != nil {
		return &CorruptError{Path: name, Err: err}
	}
	if c.FormatVersion > FormatVersion {
		return fmt.Errorf("format version %d: %w", c.FormatVersion, ErrNewerFormat)
	}
	if c.Sum != c.sum() {
		return &CorruptError{Path: name, Err: errors.New("sum mismatch")}
	}
	key, err := hex.DecodeString(c.BlockIDKey)
	if err != nil || len(key) != len(r.key) {
		return &CorruptError{Path: name, Err: errors.New("block_id_key is not a key")}
	}
	copy(r.key[:], key)
	switch c.Compression {
	case "zstd":
		r.codec = pack.CodecZstd
	case "none":
		r.codec = pack.CodecRaw
	default:
		return fmt.Errorf("compression %q: %w", c.Compression, ErrNewerFormat)
	}
	return nil
}

// looksUsed reports whether the directory has what only a repository has.
func (r *Repository) looksUsed() bool {
	for _, name := range []string{packsName, setsName} {
		if st, err := os.Stat(r.disk.path(name)); err != nil || !st.IsDir() {
			return false
		}
	}
	return true
}

// Close lets go of the lock and of all files.
func (r *Repository) Close() error {
	r.packs.close()
	return r.lock.release()
}

// Dir returns the absolute path of the repository.
func (r *Repository) Dir() string { return r.disk.dir }

// ID returns the repository's own ID, 32 hex digits.
func (r *Repository) ID() string { return r.config.ID }
