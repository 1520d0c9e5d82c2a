// Package storage is the bottom half of the practice instance: databases, a write
// daemon, journals, backup files. It is small and simple, but honest: a copy of a
// live database is dirty, an incremental heals it, and without the incremental the
// copy is found damaged, for the same reasons as with InterSystems IRIS.
//
// What is documented of InterSystems, or was read off its files, is followed, and
// the comment says so. What is unknown is decided here, and the comment says that,
// too. The formats of journals, backup files and the WIJ are the practice
// instance's own; each says so in its first bytes.
//
// # Databases
//
// IRIS.DAT has the label, the map blocks and the headers of real files as far as
// they are known, in blocks of 8 KiB, at most the 62464 of one map (488 MiB). Block
// 1 is the map of free blocks, block 2 the directory of globals, blocks 4 and 5 the
// maps of blocks changed since the last backup and since the last full one. A
// global is a chain of data blocks in the order of their keys; the index of it is
// in memory only.
//
// Redundancy makes any mixture of moments visible. A block carries its number, a
// checksum, an update sequence number, its owner and both neighbours; the directory
// counts blocks and rows of every global and has a sum over all rows, so it changes
// with every update; the map of free blocks must be exactly what no chain reaches.
// [CheckFile] compares them all.
//
// # When things are written
//
// An update is in the journal before it changes a block in memory, and has returned
// only then. The write daemon copies all that is dirty at one moment, writes it to
// the WIJ, marks that active, writes to the databases in place and in random order,
// and marks the WIJ inactive. So a crash leaves the databases, after the WIJ was
// applied, as they were at one moment, whose place in the journals the WIJ knows
// (the checkpoint). From there the journals are rolled forward, and what was not
// committed is rolled back. Nothing is synced: this holds when the process is
// killed, not when the power fails.
//
// # What makes the method right
//
// The bit of a block is set when it changes in memory. [Instance.Mark] clears all
// but those of blocks whose latest content is not yet in the file, because a copy
// that begins now may read them as they were. [MarkWithoutFlush] breaks this on
// purpose. A backup reads from memory, so it may clear the bits of all it has read.
//
// # Files
//
//	config.go    where an instance has its files and how it behaves
//	instance.go  start, end, crash, holding of updates
//	startup.go   startup.last: did the last run end in order?
//	recovery.go  what a start after a crash does
//	errors.go    errors
//
//	block.go     headers and checksums of blocks
//	label.go     block 0
//	bitmap.go    map blocks
//	globals.go   the directory of globals, and their index
//	rows.go      what is in data blocks
//	tree.go      how updates change blocks
//	walk.go      along the chains, believing nothing
//	cache.go     blocks in memory
//	database.go  a mounted database
//	databases.go create, mount, dismount
//	lck.go       iris.lck
//	daemon.go    the write daemon
//	wij.go       the write image journal
//
//	ops.go       SET, KILL and reading
//	txn.go       transactions
//	jrecord.go   journal records
//	jread.go     reads journal files
//	journal.go   writes them
//	journals.go  switch, list, purge
//	jfiles.go    which files a restore reads
//	jrestore.go  applies journal files
//	replay.go    applies records
//
//	mark.go      the mark, the backup history
//	backupapi.go what a backup is asked for and tells
//	backup.go    makes a backup file, in passes
//	bkfile.go    the format of backup files
//	bkread.go    reads and checks them
//	restore.go   applies them
//
//	check.go     integrity
//	digest.go    sums of the logical content
//	content.go   both, of a running instance
//	oplog.go     an independent record of what happened
//	load.go      simulated users
package storage
