// Package dbback makes sets of database files and brings files back from sets.
//
// # Backing up files
//
// [BackupFiles] stores the named files as one set. What it guarantees:
//
//   - Every byte that was read is stored, from the start of each file to its
//     end as found, whatever the file holds. Knowing a database's format only
//     chooses the block size ([Recognise]).
//   - A set is complete only if all the files named were read to their end. A
//     file that is missing, cannot be read or becomes shorter while it is read
//     makes the set incomplete, and the set says why (I6).
//   - What was seen of a file while it was copied is in the set: its size at
//     open and at end, what its label says, and a warning if it was written to
//     meanwhile.
//
// What it does not guarantee: that the copy of a file which was written to
// meanwhile is of any use by itself. The copy of a live database mixes blocks of
// different moments (a dirty copy). BackupFiles is meant for a database that is
// down or frozen, or for a copy made by other means. [Backup] is for a live one.
//
// # The concurrent external backup
//
// [Backup] takes a set of a database that is in use, without freezing it. An
// [Engine] does what only the database's product can do. In this order, which is
// what makes the method right:
//
//	preflight    look at the instance; whatever would make it fail ends it here
//	prepare      a working directory; the list of databases
//	mark         the product forgets which blocks changed, and counts from here on
//	copy         the files, while they are written to: dirty copies
//	list         the same databases as before? else all over again, once
//	record       tell the product that it has a full copy
//	estimate     is there room for the incremental?
//	incremental  every block that changed since the mark
//	journals     close the journal file; capture what a restore needs of them
//	seal         the set is final
//
// Any block that was written after the mark is in the incremental, so that copy
// and incremental together are the databases of one moment, however torn the
// copy is. A change before the mark that is in memory only must not be missed:
// that the product writes it before it forgets is the engine's to see to.
//
// Each step is recorded in the set, durably, before it is taken. After a crash
// the set says which step was the last, what that means for the instance, and
// what to do; what the run left outside the repository is removed by the next
// one. A set is sealed as complete only if every step succeeded (I6): a dirty
// copy without its incremental never is.
//
// Reads of databases have the lowest I/O priority that is not starved, and can
// be limited to a rate.
//
// # Journals between backups
//
// [ArchiveJournals] copies the closed journal files of an instance into a journal
// archive: sets under a name of their own, one for each run that finds something
// new. [ArchivedJournals] lists what they hold together, and [SameTimeLine] says which
// of it can follow a set. [ReadJournalHistory] adds
// the journals of backups, says what must have been between them and is missing,
// and how far a restore of a set can go on ([JournalHistory.Reach]).
//
// # Restoring
//
// [Restore] brings the files of a set to a directory. A target that exists is
// compared with the set block by block, by block IDs, and only what differs is
// written, in place; so a restore that was cut off is finished by repeating it.
// As long as a target's content is not whole, a file beside it named like it
// with ".datfs-partial" at the end says so. Nothing but the targets, the missing
// directories above them and these markers is written to (I7). Targets that are
// databases in use are refused before anything is written, unless that is asked for.
//
// # Files
//
//	label.go     what a database file says of itself
//	source.go    reads a file for a set: direct I/O, holes, growth, shrinking
//	copy.go      one file into a set that is being written
//	names.go     which database a file belongs to, as a name
//	files.go     BackupFiles
//	engine.go    what Backup needs of a product: Engine
//	backup.go    Backup: its options and errors
//	procedure.go the steps
//	gather.go    files beside the databases, transcripts, leftovers
//	dirlock.go   directories that somebody works in
//	archive.go   ArchiveJournals
//	archived.go  the journal files of an archive
//	journalhistory.go  all journal files there are, gaps, how far they lead
//	timeline.go  which journal files can follow others of their names
//	journalname.go, journalorder.go, journallog.go  names of journal files,
//	             their order, journal.log
//	throttle.go  reads with a limit and a low priority
//	restore.go   Restore: its options, its report, its order
//	plan.go      which files go where, and whether that can be
//	inuse.go     refuses databases that are in use
//	openby.go    which processes have a file open
//	target.go    writes one target: differences, holes, attributes
//	marker.go    the marker beside a target that is not whole
//	dirs.go      makes the directories above targets
//	shell.go     words for a shell, in what people paste
package dbback
