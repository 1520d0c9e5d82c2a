package catalog

import (
	"context"
	"errors"
	"fmt"

	"datfs/catalog/pack"
)

// Rebuild makes catalog.db anew from packs/ (I4). The repository must be open
// with Exclusive. The old catalog stays in place until the new one is complete.
// Packs that cannot be read are left out and joined into the error: whose
// blocks they are, Verify tells.
func (r *Repository) Rebuild(ctx context.Context, p *Progress) error {
	if r.mode != Exclusive {
		return fmt.Errorf("rebuild: the repository is not open for that: %w", ErrLocked)
	}
	ids, err := r.packIDs()
	if err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	const temp = catalogName + ".new"
	if err := r.disk.remove(temp); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	old := r.db.path
	r.db.path = r.disk.path(temp)
	defer func() { r.db.path = old }()
	if err := r.db.create(); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	p.SetTotal(int64(len(ids)))
	var damaged []error
	err = r.adopt(ids, func(_ pack.ID, err error) error {
		if errors.Is(err, ErrCorrupt) {
			damaged = append(damaged, err)
			err = nil
		}
		p.Add(1)
		return errors.Join(err, ctx.Err())
	})
	if err != nil {
		return errors.Join(fmt.Errorf("rebuild: %w", err), r.disk.remove(temp))
	}
	if err := r.disk.swap(temp, catalogName); err != nil {
		return fmt.Errorf("rebuild: %w", err)
	}
	return errors.Join(damaged...)
}
