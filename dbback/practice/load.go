package practice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"datfs/dbback/practice/storage"
)

// What the simulated users do.
const (
	LoadNone  = "none"
	LoadLight = "light" // a few hundred changes a second: enough that a plain copy is a dirty one
	LoadHeavy = "heavy" // as many as a fraction of a core makes
)

// Loads returns the levels of load.
func Loads() []string { return []string{LoadNone, LoadLight, LoadHeavy} }

// rates are operations a second and users.
var rates = map[string]storage.LoadOptions{
	LoadLight: {Users: 4, Rate: 400},
	LoadHeavy: {Users: 8, Rate: 4000},
}

// A loader keeps simulated users at work on the databases of the user's. A
// database that is dismounted loses its users, as nobody may work on one that is
// being restored; they come back when the load is set again.
type loader struct {
	inst *Instance

	mu     sync.Mutex
	level  string
	dirs   []string // that have users
	cancel context.CancelFunc
	done   chan struct{}
}

func newLoader(i *Instance) *loader { return &loader{inst: i, level: LoadNone} }

// set changes the level, for all databases that are mounted read-write.
func (l *loader) set(level string) error {
	if !slices.Contains(Loads(), level) {
		return &UsageError{fmt.Errorf("load %q is not %s", level, strings.Join(Loads(), ", "))}
	}
	var dirs []string
	for _, db := range l.inst.databases() {
		if info, err := l.inst.db.Database(db.Directory); err == nil && info.Mounted && !info.ReadOnly && !isSystem(db.Name) {
			dirs = append(dirs, db.Directory)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halt()
	l.level, l.dirs = level, dirs
	l.begin()
	return nil
}

// leave takes the users away from a database.
func (l *loader) leave(dir string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.dirs, dir) {
		return
	}
	l.halt()
	l.dirs = slices.DeleteFunc(l.dirs, func(d string) bool { return d == dir })
	l.begin()
}

// stop ends the load for good.
func (l *loader) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halt()
}

func (l *loader) current() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.level
}

// begin is called with mu held and nothing running.
func (l *loader) begin() {
	opts, ok := rates[l.level]
	if !ok || len(l.dirs) == 0 {
		return
	}
	opts.Databases = slices.Clone(l.dirs)
	ctx, cancel := context.WithCancel(l.inst.ctx)
	done := make(chan struct{})
	l.cancel, l.done = cancel, done
	go func() {
		defer close(done)
		if _, err := l.inst.db.Load(ctx, opts); err != nil && ctx.Err() == nil {
			l.inst.log("The load has ended: %v", err)
		}
	}()
}

// halt is called with mu held.
func (l *loader) halt() {
	if l.cancel != nil {
		l.cancel()
		<-l.done
		l.cancel = nil
	}
}

// SetLoad changes what the simulated users do: LoadNone, LoadLight, LoadHeavy.
// In emergency mode nobody else can sign on, so there is none.
func (i *Instance) SetLoad(_ context.Context, level string) error {
	if i.emergency != nil && level != LoadNone {
		return &UsageError{errors.New("after a start with EmergencyId there is no load")}
	}
	return i.load.set(level)
}
