// Package catalog is the repository: what is stored, how it is found again, and
// what must hold. Below it is only the pack format; beside it nothing; fs,
// dbback and cli are front doors to it.
//
// # Words
//
// One word has one meaning, in code, help, errors and documents.
//
//	repository  a directory: config, catalog.db, packs/, sets/, lock
//	catalog     catalog.db, a bbolt file: which packs exist, and where hooks are.
//	            An index: it can be rebuilt
//	set         one backup, final once it is sealed; a file below sets/
//	archive     the journal files of an instance that were copied between
//	            backups: sets of their own, under the name INSTANCE.journals
//	file        one stored file of a set, with path, size, mode, owner, mtime
//	block       the unit of deduplication: the database's own block, 64 KiB for
//	            other files
//	block ID    128 bits of keyed BLAKE3 of a block; the key is the repository's
//	frame       up to 64 KiB of new blocks, compressed together
//	pack        an immutable file of frames with a directory, about 64 MiB
//	ordinal     a block's number within its pack
//	extent      a run of a file's blocks that lie in one pack under consecutive
//	            ordinals; or a hole, a run of zero blocks
//	page        the extents of 4,096 blocks of a file
//	hook        a block ID with its low six bits clear, 1 in 64: the catalog
//	            indexes those only
//	base        an earlier copy of the file that is being stored
//	stroke      what is read of a source at a time, 4 MiB
//	segment     a part of a pack's directory that is read by itself
//	slot        a number that is short for a pack while a set is written
//	stretch     an extent, or a part of one, with its place in the file
//	seal        to make a set final, in one rename
//	note        what was said of a set after it was sealed; a file beside it
//	validation  a note that says that a set was restored and checked
//
// # Invariants
//
// Code cites them by number.
//
//	I1  Nothing names bytes that are not synced: a pack is synced and renamed
//	    before the catalog knows it, and all packs of a set before the set's
//	    file gets its final name.
//	I2  A sealed set never changes. What is said of it later is in notes.
//	I3  A byte handed out has passed its checksum; otherwise the reader gets an
//	    error that names pack and offset.
//	I4  catalog.db can be rebuilt from packs/ and sets/; all that it has today
//	    is in packs/. Reading needs packs/ and sets/ only.
//	I5  No process keeps catalog.db open longer than one transaction.
//	I6  What cannot be restored cannot be mistaken for what can: only a set
//	    without a fatal problem is complete, and only a complete one is latest.
//	I7  Nothing of a database's is written to here; a restore (dbback) writes
//	    what it is told to.
//
// # Where a block goes
//
// For each block, in this order: (1) zeros are a hole; (2) the same place of
// the base has the same ID; (3) the ordinal after the last block that was found
// has it; (4) a table of recent IDs knows it; (5) it is near a hook that the
// catalog knows; (6) it is new. No index has an entry for each block, so memory
// does not grow with the blocks that are stored.
//
// # Locks
//
// Taken in this order, and all given up by the system when a process dies:
// lock, shared by whoever reads or adds, exclusive for rebuild; then
// sets/INSTANCE/.lock, exclusive for the one backup of an instance; then
// sets/INSTANCE/.notes.lock, exclusive for as long as one note is written; then
// catalog.db's own for one transaction. Within a process: db.mu, then nothing;
// packStore.mu and pageCache.mu are never held while reading.
//
// # Files
//
//	repository.go  create, open, close; the config
//	durable.go     the only file that syncs, renames and removes
//	lock.go        locks between processes
//	db.go          catalog.db; the only file that says bbolt; enter.go
//	info.go        what is known of a set and its files; their JSON
//	method.go      how the parts of a set belong together; the steps taken
//	name.go        names of sets, and finding a set by a part of its name
//	archive.go     the names of journal archives
//	sets.go        listing and opening sets
//	setformat.go   the format of a set's file
//	setlog.go      writes it        setread.go, setpartial.go  read it
//	notes.go       notes of sealed sets: adding, reading, listing
//	noteformat.go  the format of a note     validation.go  that of one kind
//	page.go        extent pages and their encoding
//	writer.go      the life of a set: begin, store, seal, abort
//	filewriter.go  one file: bytes in, pages out
//	overlay.go     a file laid over another one of the same set
//	cut.go         reads a source and cuts it into blocks
//	dedup.go       decides where a block goes; base.go, recent.go help
//	packer.go      new blocks into frames, frames into packs
//	remains.go     what killed backups left
//	packs.go       reads packs through bounded caches
//	file.go        a stored file: ReadAt, holes; readahead.go, diff.go
//	stats.go       the savings report
//	verify.go      reads all packs back; verifysets.go  which files need what
//	rebuild.go     makes catalog.db anew
package catalog
