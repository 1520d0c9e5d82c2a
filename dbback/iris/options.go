package iris

import (
	"cmp"
	"errors"
	"time"

	"datfs/dbback/iris/session"
)

// Options says how an instance is backed up. Times that are zero mean the default,
// negative ones no limit.
type Options struct {
	// Description is put into the instance's backup history and into the label of
	// the backup file. Default: "datfs".
	Description string

	MarkTimeout    time.Duration // for CLRINC^DBACK. Default: 10 minutes
	QuiesceTimeout time.Duration // how long the instance may wait to become quiet. Default: 5 minutes; rounded up to seconds
}

// Default times.
const (
	defaultMark    = 10 * time.Minute
	defaultQuiesce = 5 * time.Minute
)

// check returns what is wrong with the options, and puts in the defaults.
func (o *Options) check() error {
	if session.HasControl(o.Description) {
		return errors.New("the description has a control character")
	}
	o.Description = cmp.Or(o.Description, "datfs")
	o.MarkTimeout = cmp.Or(o.MarkTimeout, defaultMark)
	o.QuiesceTimeout = cmp.Or(o.QuiesceTimeout, defaultQuiesce)
	return nil
}
