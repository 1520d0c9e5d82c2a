package storage

import (
	"bytes"
	"slices"
)

// This file changes the structure of one database. Every function here is called
// with the instance's mutex held, and after reserve. An error in the middle leaves
// the database degraded, which the caller sees to.

// reserve makes sure that a put cannot run out of room half-way: a block is free
// and the directory can take the global.
func (db *database) reserve(name string) error {
	if g, _ := db.global(name); g == nil {
		used := entrySize + len(name)
		for _, g := range db.globals {
			used += entrySize + len(g.name)
		}
		if used > blockRoom {
			return ErrFull
		}
	}
	free, err := db.bits(blockMap)
	if err != nil {
		return err
	}
	if n, ok := free.next(db.hint); ok && n < db.label.blocks {
		return nil
	}
	return db.expand(min(db.label.blocks+db.label.expansion, db.label.max))
}

// expand makes the database that many blocks long; nothing happens if it is.
// The file grows at once, the label and the map when they are written.
func (db *database) expand(blocks uint32) error {
	old := db.label.blocks
	if blocks <= old {
		if blocks == db.label.max {
			return ErrFull
		}
		return nil
	}
	if err := db.growFile(int64(blocks) * BlockSize); err != nil {
		return err
	}
	db.usn++
	b, err := db.edit(blockMap)
	if err != nil {
		return err
	}
	free := bitmap(b[offBitmap:])
	for n := old; n < blocks; n++ {
		free.set(n)
	}
	db.hint = min(db.hint, old)
	db.label.blocks = blocks
	if err := db.writeLabel(); err != nil {
		return err
	}
	return db.writeDirectory()
}

// growFile makes the file at least size bytes long.
func (db *database) growFile(size int64) error {
	st, err := db.f.Stat()
	if err != nil {
		return err
	}
	if st.Size() >= size {
		return nil
	}
	return db.f.Truncate(size)
}

// alloc takes a free block and makes it an empty data block of g.
func (db *database) alloc(g *global) (uint32, []byte, error) {
	b, err := db.edit(blockMap)
	if err != nil {
		return 0, nil, err
	}
	free := bitmap(b[offBitmap:])
	n, ok := free.next(db.hint)
	if !ok || n >= db.label.blocks {
		return 0, nil, ErrFull
	}
	free.unset(n)
	db.hint = n + 1
	initBlock(db.fresh(n).b, n, typeData)
	if b, err = db.edit(n); err != nil {
		return 0, nil, err
	}
	le.PutUint32(b[offOwner:], ownerOf(g.name))
	g.blocks++
	return n, b, nil
}

// release makes a block free. Its content stays, as that of freed blocks does.
func (db *database) release(g *global, n uint32) error {
	b, err := db.edit(blockMap)
	if err != nil {
		return err
	}
	bitmap(b[offBitmap:]).set(n)
	db.hint = min(db.hint, n)
	g.blocks--
	return nil
}

// lookup returns the value of a key. It aliases the cache.
func (db *database) lookup(name, key string) ([]byte, bool, error) {
	g, _ := db.global(name)
	if g == nil {
		return nil, false, nil
	}
	rows, err := db.rows(g.index[g.find(key)].block)
	if err != nil {
		return nil, false, err
	}
	i, found := findRow(rows, key)
	if !found {
		return nil, false, nil
	}
	return rows[i].value, true, nil
}

// after returns the first key after the given one, "" if there is none.
func (db *database) after(name, key string) (string, error) {
	g, _ := db.global(name)
	if g == nil {
		return "", nil
	}
	for at := g.find(key); at < len(g.index); at++ {
		rows, err := db.rows(g.index[at].block)
		if err != nil {
			return "", err
		}
		i, found := findRow(rows, key)
		if found {
			i++
		}
		if i < len(rows) {
			return string(rows[i].key), nil
		}
	}
	return "", nil
}

// rows returns the rows of a data block. A block that was read from the file is
// verified every time: what the disk returns is not trusted.
func (db *database) rows(n uint32) ([]row, error) {
	p, err := db.get(n)
	if err != nil {
		return nil, err
	}
	if !p.dirty {
		if _, flushing := db.flushing[n]; !flushing {
			if err := verify(p.b, n, typeData); err != nil {
				return nil, err
			}
		}
	}
	return parseRows(p.b)
}

// put sets a key. Only the data block changes, and the directory, unless the
// block overflows.
func (db *database) put(name, key string, value []byte) error {
	db.usn++
	g, at := db.global(name)
	if g == nil {
		g = &global{globalEntry: globalEntry{name: name}}
		n, _, err := db.alloc(g)
		if err != nil {
			return err
		}
		g.first, g.last = n, n
		g.index = []indexEntry{{"", n}}
		db.globals = slices.Insert(db.globals, at, g)
	}
	pos := g.find(key)
	n := g.index[pos].block
	rows, err := db.rows(n)
	if err != nil {
		return err
	}
	i, found := findRow(rows, key)
	r := row{[]byte(key), value}
	if found {
		g.sum -= rowSum(rows[i].key, rows[i].value)
		rows[i] = r
	} else {
		rows = slices.Insert(rows, i, r)
		g.rows++
	}
	g.sum += rowSum(r.key, r.value)
	if rowsSize(rows) > blockRoom {
		err = db.split(g, pos, rows, i)
	} else {
		err = db.store(n, rows)
	}
	if err != nil {
		return err
	}
	return db.writeDirectory()
}

// store writes the rows of a data block.
func (db *database) store(n uint32, rows []row) error {
	b, err := db.edit(n)
	if err == nil {
		putRows(b, rows)
	}
	return err
}

// split spreads the rows of a block over it and a new one to its right. Up to
// three data blocks and the map change. Rows that come in the order of their keys
// fill the blocks: the one at i, if the last of all, goes into the new block alone.
func (db *database) split(g *global, pos int, rows []row, i int) error {
	k := splitAt(rows)
	if pos == len(g.index)-1 && i == len(rows)-1 {
		k = i
	}
	left := g.index[pos].block
	n, b, err := db.alloc(g)
	if err != nil {
		return err
	}
	lb, err := db.edit(left)
	if err != nil {
		return err
	}
	right := le.Uint32(lb[offRight:])
	low := string(rows[k].key)
	putRows(b, rows[k:]) // first, because rows may alias lb
	putRows(lb, rows[:k])
	g.index = slices.Insert(g.index, pos+1, indexEntry{low, n})
	if err := db.link(g, left, n); err != nil {
		return err
	}
	return db.link(g, n, right)
}

// link makes two blocks neighbours; 0 is the end of the chain.
func (db *database) link(g *global, left, right uint32) error {
	if left == 0 {
		g.first = right
	} else {
		b, err := db.edit(left)
		if err != nil {
			return err
		}
		le.PutUint32(b[offRight:], right)
	}
	if right == 0 {
		g.last = left
		return nil
	}
	b, err := db.edit(right)
	if err == nil {
		le.PutUint32(b[offLeft:], left)
	}
	return err
}

// remove removes a key, and the block and the global that become empty by it.
func (db *database) remove(name, key string) error {
	g, at := db.global(name)
	if g == nil {
		return nil
	}
	pos := g.find(key)
	n := g.index[pos].block
	rows, err := db.rows(n)
	if err != nil {
		return err
	}
	i, found := findRow(rows, key)
	if !found {
		return nil
	}
	db.usn++
	g.sum -= rowSum(rows[i].key, rows[i].value)
	g.rows--
	rows = slices.Delete(rows, i, i+1)
	if len(rows) > 0 {
		if err := db.store(n, rows); err != nil {
			return err
		}
		return db.writeDirectory()
	}
	p, err := db.get(n)
	if err != nil {
		return err
	}
	left, right := le.Uint32(p.b[offLeft:]), le.Uint32(p.b[offRight:])
	if err := db.link(g, left, right); err != nil {
		return err
	}
	if err := db.release(g, n); err != nil {
		return err
	}
	g.index = slices.Delete(g.index, pos, pos+1)
	if len(g.index) == 0 {
		db.globals = slices.Delete(db.globals, at, at+1)
	} else {
		g.index[0].low = ""
	}
	return db.writeDirectory()
}

// writeDirectory writes the directory of globals. It changes with every update,
// because it counts rows and sums them.
func (db *database) writeDirectory() error {
	b, err := db.edit(blockDirectory)
	if err != nil {
		return err
	}
	entries := make([]globalEntry, len(db.globals))
	for i, g := range db.globals {
		entries[i] = g.globalEntry
	}
	putDirectory(b, entries)
	return nil
}

// newDatabase returns the blocks at the start of an empty database.
func newDatabase(l label) []byte {
	b := bytes.Repeat([]byte{0}, firstDataBlock*BlockSize)
	at := func(n uint32) []byte { return b[n*BlockSize:][:BlockSize] }
	l.put(at(blockLabel))
	initMap(at(blockMap), blockMap, mapNameFree)
	free := bitmap(at(blockMap)[offBitmap:])
	for n := uint32(firstDataBlock); n < l.blocks; n++ {
		free.set(n)
	}
	initBlock(at(blockDirectory), blockDirectory, typeGlobals)
	for n := uint32(blockChanged); n < firstDataBlock; n++ {
		initMap(at(n), n, mapNameChanged)
	}
	for n := range uint32(firstDataBlock) {
		if n != 3 { // empty in every file of InterSystems that was looked at
			seal(at(n), n)
		}
	}
	return b
}
