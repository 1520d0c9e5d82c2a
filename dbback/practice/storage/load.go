package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// LoadOptions says how much is done to the databases.
type LoadOptions struct {
	Databases []string      // default: all mounted read-write
	Users     int           // default 4
	Rate      float64       // operations a second, all users together; 0: as fast as possible
	MaxSize   int64         // bytes in use of each database above which kills outweigh; default 32 MiB
	HoldOpen  time.Duration // one user more keeps transactions open that long; 0: none does
	Seed      uint64
}

// LoadStats counts what a load did.
type LoadStats struct {
	Sets, Kills, Transactions, Rollbacks int64
}

// Globals that a load uses.
const (
	accountGlobal = "Account" // balances: their sum never changes
	recordGlobal  = "Record"  // rows that come and go
	heldGlobal    = "Held"    // what transactions that stay open have set

	accounts     = 400
	startBalance = 1000
	balanceWidth = 12
)

// A loader is a load in progress.
type loader struct {
	in    *Instance
	opts  LoadOptions
	stats struct{ sets, kills, txns, rollbacks atomic.Int64 }
}

// Load has simulated users change the databases until ctx ends, which is not an
// error: transfers between accounts in transactions, overwrites, inserts, kills. A
// database that cannot be changed is left out as long as that is so. If the
// instance ends first, the error is [ErrCrashed].
func (in *Instance) Load(ctx context.Context, opts LoadOptions) (LoadStats, error) {
	l := &loader{in: in, opts: opts}
	if l.opts.Users <= 0 {
		l.opts.Users = 4
	}
	if l.opts.MaxSize <= 0 {
		l.opts.MaxSize = 32 << 20
	}
	if len(l.opts.Databases) == 0 {
		for _, info := range in.Databases() {
			if info.Mounted && !info.ReadOnly {
				l.opts.Databases = append(l.opts.Databases, info.Directory)
			}
		}
	}
	err := l.run(ctx)
	if ctx.Err() != nil {
		err = nil
	}
	return LoadStats{l.stats.sets.Load(), l.stats.kills.Load(), l.stats.txns.Load(), l.stats.rollbacks.Load()}, err
}

func (l *loader) run(ctx context.Context) error {
	if len(l.opts.Databases) == 0 {
		return fmt.Errorf("load: %w", ErrNotMounted)
	}
	for _, dir := range l.opts.Databases {
		if err := l.openAccounts(ctx, dir); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	user := func(f func(ctx context.Context, r *rand.Rand) error, n int) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(l.opts.Seed, uint64(n)))
			if err := f(ctx, r); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	for n := range l.opts.Users {
		user(l.user, n)
	}
	if l.opts.HoldOpen > 0 {
		user(l.holder, -1)
	}
	wg.Wait()
	return context.Cause(ctx)
}

// openAccounts makes the accounts of a database if it has none. It is one
// transaction: whoever stops here leaves none.
func (l *loader) openAccounts(ctx context.Context, dir string) error {
	if first, err := l.in.Next(dir, accountGlobal, ""); err != nil || first != "" {
		return err
	}
	t, err := l.in.Begin(ctx)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(l.opts.Seed, 1<<32))
	for i := range accounts {
		if err := t.Set(ctx, dir, accountGlobal, accountKey(i), balance(startBalance, r)); err != nil {
			return errors.Join(err, t.Rollback(ctx))
		}
	}
	return t.Commit(ctx)
}

func accountKey(i int) string { return fmt.Sprintf("%06d", i) }

// balance returns the value of an account: the balance, and something to make it
// long.
func balance(n int64, r *rand.Rand) []byte {
	return append(fmt.Appendf(nil, "%*d", balanceWidth, n), filler(r, 100)...)
}

func parseBalance(v []byte) (int64, error) {
	if len(v) < balanceWidth {
		return 0, fmt.Errorf("an account of %d bytes", len(v))
	}
	return strconv.ParseInt(strings.TrimSpace(string(v[:balanceWidth])), 10, 64)
}

const phrase = "customer order invoice address street city country telephone amount currency date status "

// filler returns n bytes of which about half can be compressed away, as in real
// databases.
func filler(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 16 {
		part := b[i:min(i+16, n)]
		if i/16%2 == 0 {
			copy(part, phrase[r.IntN(len(phrase)-16):])
			continue
		}
		for k := range part {
			part[k] = byte(r.Uint32())
		}
	}
	return b
}

// user does one thing after another.
func (l *loader) user(ctx context.Context, r *rand.Rand) error {
	var pause time.Duration
	if l.opts.Rate > 0 {
		pause = time.Duration(float64(l.opts.Users) / l.opts.Rate * float64(time.Second))
	}
	for {
		err := l.step(ctx, r)
		wait := pause
		switch {
		case err == nil || errors.Is(err, ErrLocked) || errors.Is(err, ErrFull):
		case isOut(err):
			wait = max(pause, 100*time.Millisecond)
		default:
			return err
		}
		if err := l.in.rest(ctx, wait); err != nil {
			return err
		}
	}
}

// isOut tells whether an error means that a database is out of use for now.
func isOut(err error) bool {
	return errors.Is(err, ErrNotMounted) || errors.Is(err, ErrReadOnly) || errors.Is(err, ErrDegraded)
}

func (l *loader) step(ctx context.Context, r *rand.Rand) error {
	dir := l.opts.Databases[r.IntN(len(l.opts.Databases))]
	used, err := l.in.used(dir)
	if err != nil {
		return err
	}
	kills := 1
	if used > l.opts.MaxSize {
		kills = 40
	}
	switch p := r.IntN(100); {
	case p < kills:
		return l.kill(ctx, r, dir)
	case p < 40:
		return l.transfer(ctx, r, dir)
	case p < 60:
		return l.overwrite(ctx, r, dir)
	}
	l.stats.sets.Add(1)
	return l.in.Set(ctx, dir, recordGlobal, recordKey(r), filler(r, 50+r.IntN(1200)))
}

// used returns how many bytes of a database are in use.
func (in *Instance) used(dir string) (int64, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	db, err := in.readable("load", dir)
	if err != nil {
		return 0, err
	}
	var blocks int64
	for _, g := range db.globals {
		blocks += int64(g.blocks)
	}
	return blocks * BlockSize, nil
}

func recordKey(r *rand.Rand) string { return fmt.Sprintf("%08x", r.Uint32()) }

// overwrite gives a row that exists another value.
func (l *loader) overwrite(ctx context.Context, r *rand.Rand, dir string) error {
	key, err := l.in.Next(dir, recordGlobal, recordKey(r))
	if err != nil || key == "" {
		return err
	}
	l.stats.sets.Add(1)
	return l.in.Set(ctx, dir, recordGlobal, key, filler(r, 50+r.IntN(1200)))
}

// kill removes rows that follow each other, so that blocks become free.
func (l *loader) kill(ctx context.Context, r *rand.Rand, dir string) error {
	key := recordKey(r)
	for range 12 {
		next, err := l.in.Next(dir, recordGlobal, key)
		if err != nil || next == "" {
			return err
		}
		if err := l.in.Kill(ctx, dir, recordGlobal, next); err != nil {
			return err
		}
		l.stats.kills.Add(1)
		key = next
	}
	return nil
}

// transfer moves an amount from one account to another, in a transaction. One in
// twenty is rolled back.
func (l *loader) transfer(ctx context.Context, r *rand.Rand, dir string) error {
	t, err := l.in.Begin(ctx)
	if err != nil {
		return err
	}
	err = l.move(ctx, t, r, dir)
	return l.end(ctx, t, err, r.IntN(20) > 0)
}

// end commits or rolls back a transaction. One that had an error, be it of the
// commit, is rolled back: none stays open.
func (l *loader) end(ctx context.Context, t *Txn, err error, commit bool) error {
	if err == nil && commit {
		if err = t.Commit(ctx); err == nil {
			l.stats.txns.Add(1)
			return nil
		}
	}
	l.stats.rollbacks.Add(1)
	return errors.Join(err, t.Rollback(ctx))
}

func (l *loader) move(ctx context.Context, t *Txn, r *rand.Rand, dir string) error {
	from := r.IntN(accounts)
	to := (from + 1 + r.IntN(accounts-1)) % accounts
	amount := int64(r.IntN(100))
	for _, side := range []struct {
		account int
		delta   int64
	}{{from, -amount}, {to, amount}} {
		key := accountKey(side.account)
		v, _, err := t.Get(ctx, dir, accountGlobal, key)
		if err != nil {
			return err
		}
		n, err := parseBalance(v)
		if err != nil {
			return err
		}
		if err := t.Set(ctx, dir, accountGlobal, key, balance(n+side.delta, r)); err != nil {
			return err
		}
		l.stats.sets.Add(1)
	}
	return nil
}

// holder keeps a transaction open for a while, again and again. Every other one is
// rolled back.
func (l *loader) holder(ctx context.Context, r *rand.Rand) error {
	for n := 0; ; n++ {
		dir := l.opts.Databases[n%len(l.opts.Databases)]
		t, err := l.in.Begin(ctx)
		if err != nil {
			return err
		}
		err = t.Set(ctx, dir, heldGlobal, strconv.Itoa(n%10), filler(r, 300))
		if err == nil {
			err = l.in.rest(ctx, l.opts.HoldOpen)
		}
		if err = l.end(ctx, t, err, n%2 == 0); err != nil && !isOut(err) && !errors.Is(err, ErrFull) {
			return err
		}
		if err := l.in.rest(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

// Accounts returns the sum of all account balances in a database that was loaded
// and their number. Committed transfers never change either.
func (in *Instance) Accounts(dir string) (sum int64, n int, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	db, err := in.readable("sum up", dir)
	if err != nil {
		return 0, 0, err
	}
	for key := ""; ; n++ {
		if key, err = db.after(accountGlobal, key); err != nil || key == "" {
			return sum, n, err
		}
		v, _, err := db.lookup(accountGlobal, key)
		if err != nil {
			return 0, 0, err
		}
		b, err := parseBalance(v)
		if err != nil {
			return 0, 0, db.fail("sum up", err)
		}
		sum += b
	}
}
