package storage

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A load ends when it is told to, also while updates are held, and leaves no
// transaction behind.
func TestLoadEnds(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	var stats LoadStats
	go func() {
		var err error
		stats, err = in.Load(ctx, LoadOptions{HoldOpen: time.Hour})
		done <- err
	}()
	until(t, "transactions", func() bool { return in.Status().OpenTxns > 0 })
	grown(t, in, dirs[0], 256<<10)
	hold := in.Hold()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("load: %v", err)
	}
	if stats.Sets == 0 || stats.Kills == 0 || stats.Transactions == 0 {
		t.Errorf("stats: %+v", stats)
	}
	hold.Release()
	if n := in.Status().OpenTxns; n > 0 {
		t.Errorf("%d transactions are open", n)
	}
	if sum, n, err := in.Accounts(dirs[0]); err != nil || n != accounts || sum != accounts*startBalance {
		t.Errorf("%d accounts with %d in all, %v", n, sum, err)
	}
	sound(t, in, dirs[0])
}

// A load goes on without a database that is dismounted, and with it again.
func TestLoadAroundDismount(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user", "app")
	stop := load(t, in, LoadOptions{Seed: 5})
	grown(t, in, dirs[0], 256<<10)
	if err := in.Dismount(t.Context(), dirs[0]); err != nil {
		t.Fatal(err)
	}
	soundFile(t, dirs[0]+datName)
	before, err := in.used(dirs[1])
	if err != nil {
		t.Fatal(err)
	}
	grown(t, in, dirs[1], before+64<<10)
	if err := in.Mount(t.Context(), dirs[0], false); err != nil {
		t.Fatal(err)
	}
	before, err = in.used(dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	grown(t, in, dirs[0], before+64<<10)
	stop()
	sound(t, in, dirs[0])
}

// A load keeps databases near the size that it is given.
func TestLoadStaysSmall(t *testing.T) {
	cfg := testConfig(t)
	in, dirs := withDatabases(t, &cfg, "user")
	const limit = 512 << 10
	stop := load(t, in, LoadOptions{Seed: 6, MaxSize: limit})
	grown(t, in, dirs[0], limit)
	begun := in.Status()
	until(t, "much more", func() bool { return in.Status().Offset > begun.Offset+8*limit })
	stop()
	if n, err := in.used(dirs[0]); err != nil || n > 2*limit {
		t.Errorf("%d bytes in use, %v", n, err)
	}
}

// With nothing to change there is no load, and a crash ends it.
func TestLoadErrors(t *testing.T) {
	cfg := testConfig(t)
	in := start(t, cfg)
	if _, err := in.Load(t.Context(), LoadOptions{}); !errors.Is(err, ErrNotMounted) {
		t.Errorf("without a database: %v", err)
	}
	if err := in.CreateDatabase(t.Context(), DatabaseSpec{Directory: cfg.Dir + "/user"}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := in.Load(t.Context(), LoadOptions{})
		done <- err
	}()
	grown(t, in, cfg.Dir+"/user", 128<<10)
	in.Crash()
	if err := <-done; !errors.Is(err, ErrCrashed) {
		t.Errorf("after a crash: %v", err)
	}
}
