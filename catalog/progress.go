package catalog

import "sync/atomic"

// Progress counts the work of one long operation. The operation adds, any
// number of others read. A nil *Progress counts nothing, so that callers who
// don't care pass nil.
type Progress struct {
	done, total, stored atomic.Int64
	current             atomic.Pointer[string]
}

// Add records that n more bytes of the work are done.
func (p *Progress) Add(n int64) {
	if p != nil {
		p.done.Add(n)
	}
}

// AddStored records that n more bytes went into packs.
func (p *Progress) AddStored(n int64) {
	if p != nil {
		p.stored.Add(n)
	}
}

// SetTotal says how many bytes there are to do, once that is known.
func (p *Progress) SetTotal(n int64) {
	if p != nil {
		p.total.Store(n)
	}
}

// SetCurrent names what is being worked on, for people to read.
func (p *Progress) SetCurrent(name string) {
	if p != nil {
		p.current.Store(&name)
	}
}

// Done returns the bytes done so far.
func (p *Progress) Done() int64 {
	if p == nil {
		return 0
	}
	return p.done.Load()
}

// Total returns the bytes to do, or 0 while that is unknown.
func (p *Progress) Total() int64 {
	if p == nil {
		return 0
	}
	return p.total.Load()
}

// Stored returns the bytes that went into packs so far.
func (p *Progress) Stored() int64 {
	if p == nil {
		return 0
	}
	return p.stored.Load()
}

// Current returns what SetCurrent said last.
func (p *Progress) Current() string {
	if p == nil {
		return ""
	}
	if s := p.current.Load(); s != nil {
		return *s
	}
	return ""
}
