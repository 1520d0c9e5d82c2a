package storage

import (
	"context"
	"math/rand/v2"
	"os"
	"time"
)

// daemon is the write daemon: every so often it writes what has changed in memory
// to the databases.
func (in *Instance) daemon() {
	t := time.NewTicker(in.cfg.FlushEvery)
	defer t.Stop()
	for {
		select {
		case <-in.done:
			return
		case <-t.C:
		}
		// What fails stays dirty and is tried again in the next cycle; whoever
		// needs it written calls Flush and gets the error.
		_ = in.cycle()
	}
}

// Flush makes the write daemon write everything now, and returns when it is done.
// The checkpoint is then at least where the journal was at the call.
func (in *Instance) Flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return in.cycle()
}

// A target is where a block of a cycle goes.
type target struct {
	db *database
	f  *os.File
}

// cycle writes all that is dirty at one moment. The order is what makes a crash at
// any point harmless: the WIJ, its header, the databases in random order, the
// header again.
func (in *Instance) cycle() error {
	in.flush.Lock()
	defer in.flush.Unlock()
	blocks, targets, ck, err := in.take()
	if err != nil {
		return err
	}
	if len(blocks) == 0 && ck == in.wij.head.Checkpoint {
		return nil
	}
	if err := in.write(blocks, targets, ck); err != nil {
		in.giveBack(blocks, targets)
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.cycles++
	for _, t := range targets {
		t.db.flushing = nil
		t.db.trim(in.cfg.CacheBlocks)
	}
	return nil
}

// take copies all dirty blocks, with the place in the journals that they belong to.
func (in *Instance) take() (blocks []wijBlock, targets []target, ck checkpoint, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dead.Load() {
		return nil, nil, ck, ErrCrashed
	}
	ck = checkpoint{Journal: in.jrn.current(), Offset: in.jrn.end, Required: in.required()}
	for _, db := range in.dbs {
		if !db.mounted || db.readOnly || db.dirty == 0 {
			continue
		}
		db.flushing = make(map[uint32]struct{}, db.dirty)
		for n, p := range db.pages {
			if !p.dirty {
				continue
			}
			seal(p.b, n)
			p.dirty = false
			db.flushing[n] = struct{}{}
			blocks = append(blocks, wijBlock{uint32(len(targets)), n, append([]byte(nil), p.b...)})
		}
		db.dirty = 0
		targets = append(targets, target{db, db.f})
	}
	return blocks, targets, ck, nil
}

// giveBack makes the blocks of a failed cycle dirty again.
func (in *Instance) giveBack(blocks []wijBlock, targets []target) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, bl := range blocks {
		db := targets[bl.db].db
		if p := db.pages[bl.n]; p != nil {
			db.touch(p)
		}
	}
	for _, t := range targets {
		t.db.flushing = nil
	}
}

// alive returns an error when nothing may be written any more.
func (in *Instance) alive() error {
	if in.dead.Load() {
		return ErrCrashed
	}
	return nil
}

// reach calls the test's hook, and crashes if it says so.
func (in *Instance) reach(point string) error {
	if in.cfg.at != nil && in.cfg.at(point) {
		in.dead.Store(true)
	}
	return in.alive()
}

func (in *Instance) write(blocks []wijBlock, targets []target, ck checkpoint) error {
	h := wijHead{Cycle: in.wij.head.Cycle + 1, Checkpoint: ck, Blocks: int64(len(blocks))}
	if len(blocks) > 0 {
		dirs := make([]string, len(targets))
		for i, t := range targets {
			dirs[i] = t.db.dir
		}
		base, tail, err := in.wij.fill(blocks, dirs, func() error { return in.reach("wij-block") })
		if err != nil {
			return err
		}
		h.Base, h.Tail = base, tail
		if err := in.reach("wij-written"); err != nil {
			return err
		}
		h.Active = true
		if err := in.wij.write(h); err != nil {
			return err
		}
		if err := in.reach("wij-active"); err != nil {
			return err
		}
		if err := in.writeBlocks(blocks, targets); err != nil {
			return err
		}
		if err := in.reach("databases-written"); err != nil {
			return err
		}
	}
	h.Active = false
	return in.wij.write(h)
}

// writeBlocks writes to the databases, in random order.
func (in *Instance) writeBlocks(blocks []wijBlock, targets []target) error {
	for i, k := range rand.Perm(len(blocks)) {
		if i == len(blocks)/2 {
			if in.cfg.CrashWriting != nil && in.cfg.CrashWriting() {
				in.dead.Store(true)
			}
			if err := in.reach("databases-half"); err != nil {
				return err
			}
		}
		if err := in.alive(); err != nil {
			return err
		}
		bl := blocks[k]
		if _, err := targets[bl.db].f.WriteAt(bl.b, int64(bl.n)*BlockSize); err != nil {
			return targets[bl.db].db.fail("write", err)
		}
		if err := in.rest(context.Background(), in.cfg.WritePause); err != nil {
			return err
		}
	}
	return nil
}
