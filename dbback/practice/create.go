package practice

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"datfs/dbback/practice/storage"
)

// DefaultName is what an instance is called if it is not said otherwise.
const DefaultName = "PRACTICE"

// DefaultDatabases returns the names of the databases that an instance has beside
// those of the system if it is not said otherwise.
func DefaultDatabases() []string { return []string{"USER", "APP"} }

const (
	defaultSize = 32 << 20
	systemSize  = 2 << 20
	maxSize     = 62464 * 8192 // the blocks of one map
)

// CreateOptions says what instance to make.
type CreateOptions struct {
	Dir       string   // must be empty, or missing
	Name      string   // default DefaultName
	Databases []string // names beside those of the system; nil: DefaultDatabases
	Size      int64    // bytes of each of these at first; default 32 MiB; at most 488 MiB
	// User and Password, if there is a password, are asked for at the sign-on of
	// each session. They guard nothing.
	User, Password string
	// Executable is the program that the scripts in DIR/bin run, with the
	// arguments "practice tool -- DIR iris …". Without it there are no scripts.
	Executable string
	// Oplog is a file for a record of every change; see StartOptions. The same one
	// must be given to all starts.
	Oplog string
}

// Create makes an instance. It is not started.
func Create(ctx context.Context, opts CreateOptions) error {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return err
	}
	if err := opts.complete(); err != nil {
		return err
	}
	if strings.ContainsAny(dir, ",\n") {
		return &UsageError{fmt.Errorf("directory %s has a comma or a line feed, which iris.cpf and the lists of ^DBREST cannot hold", dir)}
	}
	switch entries, err := os.ReadDir(dir); {
	case err == nil && len(entries) > 0:
		return fmt.Errorf("create a practice instance in %s: %w", dir, ErrNotEmpty)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	l := layout{dir}
	for _, sub := range []string{l.mgr(), l.journal(), l.alternate(), l.backups(), l.bin()} {
		if err := os.MkdirAll(sub, 0o775); err != nil {
			return err
		}
	}
	databases := make([]cpfDatabase, 0, len(systemDatabases)+len(opts.Databases))
	for _, db := range systemDatabases {
		databases = append(databases, cpfDatabase{Name: db.name, Directory: l.place(db.name)})
	}
	for _, name := range opts.Databases {
		databases = append(databases, cpfDatabase{Name: name, Directory: l.place(name)})
	}
	if err := l.makeDatabases(ctx, databases, opts); err != nil {
		return err
	}
	return l.makeFiles(opts, databases)
}

// complete fills in defaults and checks what was asked for.
func (o *CreateOptions) complete() error {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.Databases == nil {
		o.Databases = DefaultDatabases()
	}
	if o.Size == 0 {
		o.Size = defaultSize
	}
	if o.Size < 1<<20 || o.Size > maxSize {
		return &UsageError{fmt.Errorf("size %d is not between 1 MiB and %d MiB", o.Size, maxSize>>20)}
	}
	if o.User == "" && o.Password != "" {
		o.User = "_SYSTEM"
	}
	if !plainName(o.Name) {
		return &UsageError{fmt.Errorf("instance name %q is not letters, digits, - and _", o.Name)}
	}
	for i, name := range o.Databases {
		o.Databases[i] = strings.ToUpper(name)
		taken := append([]string{"JOURNAL", "JOURNAL2", "BACKUP"}, o.Databases[:i]...) // by a directory
		if !plainName(name) || slices.Contains(taken, o.Databases[i]) || isSystem(o.Databases[i]) {
			return &UsageError{fmt.Errorf("database name %q is not letters, digits, - and _, or is there already", name)}
		}
	}
	return nil
}

// plainName reports whether a name can be part of a path and of a line of
// "iris qlist".
func plainName(name string) bool {
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

func isSystem(name string) bool {
	for _, db := range systemDatabases {
		if db.name == name {
			return true
		}
	}
	return false
}

// makeDatabases makes the database files, by way of an instance of the storage
// that is shut down again.
func (l layout) makeDatabases(ctx context.Context, databases []cpfDatabase, opts CreateOptions) (err error) {
	in, err := storage.Open(ctx, storage.Config{Dir: l.mgr(), JournalDir: l.journal(), AlternateDir: l.alternate(), Oplog: opts.Oplog})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Shutdown(ctx)) }()
	for _, db := range databases {
		spec := storage.DatabaseSpec{Directory: db.Directory, Resource: "%DB_" + db.Name, Size: opts.Size, NoJournal: db.Name == "IRISTEMP"}
		if isSystem(db.Name) {
			spec.Size = systemSize
		}
		if err := in.CreateDatabase(ctx, spec); err != nil {
			return fmt.Errorf("create database %s: %w", db.Name, err)
		}
		if !isSystem(db.Name) {
			if err := fill(ctx, in, db.Directory, min(opts.Size/4, maxFill)); err != nil {
				return fmt.Errorf("fill database %s: %w", db.Name, err)
			}
		}
	}
	return nil
}

// maxFill is how much is written into a new database at most.
const maxFill = 8 << 20

// fill writes records of people who do not exist, so that there is something to
// back up: the same ones in every instance.
func fill(ctx context.Context, in *storage.Instance, dir string, bytes int64) error {
	words := strings.Fields("Adler Baker Carter Dyer Fisher Glover Hunter Mason Miller Porter Smith Taylor Turner Weaver")
	r := rand.New(rand.NewPCG(1, 2))
	for n := 1; bytes > 0; n++ {
		var b strings.Builder
		fmt.Fprintf(&b, "%s, %s^%04d-%02d-%02d^", words[r.IntN(len(words))], words[r.IntN(len(words))], 1930+r.IntN(90), 1+r.IntN(12), 1+r.IntN(28))
		for range 1 + r.IntN(24) {
			fmt.Fprintf(&b, "%s %016x^", words[r.IntN(len(words))], r.Uint64())
		}
		if err := in.Set(ctx, dir, "Person", fmt.Sprintf("%08d", n), []byte(b.String())); err != nil {
			return err
		}
		bytes -= int64(b.Len())
	}
	return nil
}

// makeFiles makes the files of an instance that are no databases.
func (l layout) makeFiles(opts CreateOptions, databases []cpfDatabase) error {
	if err := newCPF(l, databases).write(l.cpf()); err != nil {
		return err
	}
	list := &backupState{path: l.backupState()}
	if err := list.update(func() { list.List = append([]string{systemName}, opts.Databases...) }); err != nil {
		return err
	}
	owner, group := "irisowner", "irisusr"
	if u, err := user.Current(); err == nil {
		owner = u.Username
		if g, err := user.LookupGroupId(u.Gid); err == nil {
			group = g.Name
		}
	}
	// Keys as seen by ontariosystems/isclib.
	isc := fmt.Sprintf("security_settings.iris_user: %s\nsecurity_settings.iris_group: %s\nsecurity_settings.manager_user: %s\nsecurity_settings.manager_group: %s\n",
		owner, group, owner, group)
	if err := os.WriteFile(l.path("parameters.isc"), []byte(isc), 0o660); err != nil {
		return err
	}
	if err := os.WriteFile(l.messages(), nil, 0o660); err != nil {
		return err
	}
	if opts.Executable != "" {
		for _, name := range []string{"iris", "csession", "ccontrol"} {
			if err := os.WriteFile(filepath.Join(l.bin(), name), []byte(l.script(opts.Executable, name)), 0o755); err != nil {
				return err
			}
		}
	}
	// Last, because it makes the directory an instance.
	s := &settings{
		Format: settingsFormat, Name: opts.Name, Executable: opts.Executable, User: opts.User, Password: opts.Password,
		Created: time.Now().UTC().Truncate(time.Second), BlockSize: 8192,
	}
	return s.write(l.settings())
}

// script is one of the commands in DIR/bin.
func (l layout) script(executable, name string) string {
	return fmt.Sprintf("#!/bin/sh\n# The %s command of the practice instance in this directory's parent.\nexec %s practice tool -- %s %s \"$@\"\n",
		name, quoted(executable), quoted(l.dir), name)
}

// quoted quotes a word for the shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
