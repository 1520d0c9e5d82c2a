// Package gtm backs up and restores GT.M and YottaDB databases while they are in
// use: it is a [dbback.Engine] over MUPIP, and the restore that goes with it.
//
// # The method
//
// GT.M has no bitmap of changed blocks: each block's header holds the number of
// the transaction (TN) that changed it last, and BACKUP -BYTESTREAM takes all
// blocks whose TN is not below a given one. So the mark of the concurrent
// external backup is a TN, T0.
//
//	mark         a small BACKUP -BYTESTREAM of each region; its end TN is T0
//	copy         the database files, while they are written to
//	incremental  one BACKUP -BYTESTREAM -SINCE=BYTESTREAM over all regions, as of
//	             one moment: every block with a TN of T0 or later
//	journals     what was written since that moment, up to a switch of all journals
//
// Why the result is right: before the marker ends MUPIP writes all changed
// buffers, so every update with a TN below T0 is in the file when the copy
// begins; every later one gives its block a TN of T0 or later, so that the block
// is in the incremental. What the copy holds of such a block, torn or not, does
// not matter. The incremental is consistent although the database goes on: what
// is changed after its moment is saved by the updating process as it was before
// (a before-image). A TN that is read after the buffers were written does not
// do: it loses what is committed between the two.
//
// # What a restore does
//
// For each copy: take the running engine's semaphores out of its header (see
// below), RUNDOWN, set the header's TN to T0, RESTORE, INTEG; then for all
// together JOURNAL -RECOVER -FORWARD with the files that follow on one another
// from the incremental's end TN, and INTEG again. [Runbook] says the same for
// doing it by hand.
//
// A set also holds the databases as they are after the incremental
// ([Engine.Overlay]): datfs reads the incremental itself and lays it over the
// copy. That is byte for byte what RESTORE makes, and a plain copy of it is ready
// for use.
//
// # What can go wrong, and what is done about it
//
//   - A copy's header names the running engine's semaphore and shared memory.
//     RESTORE or INTEG on it, on the host of that engine, removes the semaphore,
//     and the live database then needs its own recovery. So a restore
//     clears the names before any command sees the file.
//   - RESTORE refuses a header whose TN is not the incremental's start.
//   - Somebody else's incremental between mark and incremental moves the start of
//     ours: seen by its start TN, and an error.
//   - A region that nobody writes to meanwhile gets no incremental from MUPIP.
//     The marker is then taken for it. A region that never was written to has TN
//     1 and cannot be backed up at all; its copy with a header of its own is the
//     consistent database.
//   - A missing journal file is found before anything is applied.
//   - A mupip whose datfs was killed works on. It holds the lock of the backup
//     until it ends, and the next backup says so.
//
// # What has been tried
//
// GT.M V7.0-005 of Debian 12, in the tests of this package: access methods BG and
// MM, journaling with and without before-images and none, formats V7 and V6,
// block sizes 512 to 32256 (BACKUP -BYTESTREAM takes no larger ones), two regions
// with transactions over both, truncation and growth during the backup. Not
// tried: YottaDB, replication, asynchronous I/O. Encrypted databases are refused.
//
// # Sources
//
// GT.M Administration and Operations Guide: MUPIP BACKUP, RESTORE, RUNDOWN,
// JOURNAL, SET -JOURNAL, and DSE. Offsets in files are from GT.M's own
// routine GTMDefinedTypesInitRelease.m and from files that V7.0-005 wrote; the
// order of records in an incremental, and what of it RESTORE writes, was seen by
// comparing with what it makes. Each statement that has no source in the manual
// is held by a test against the engine.
//
// # Files
//
//	engine.go      Engine: options, lock, list of databases
//	workdir.go     where the incrementals are made, and who may get there
//	preflight.go   what to know before a backup; the plan; what a failure means
//	regions.go     the regions of a global directory
//	mark.go        mark and incremental
//	capture.go     journals for the set
//	overlay.go     the database after the incremental
//	restore.go     Restore: options, report, order
//	apply.go       one copy made consistent; the global directory for it
//	recover.go     the journals
//	targets.go     which databases a restore has begun to make, and its locks
//	runbook.go     the same by hand, for a set
//	header.go      file header of a database, V6 and V7
//	bytestream.go  incremental backup
//	records.go     where its blocks are, sorted
//	journals.go    file header of a journal, chains of journal files
//	commands.go    runs mupip, mumps and GDE
package gtm
