// Package iris takes the concurrent external backup of an InterSystems IRIS or
// Caché instance that is in use: it is the [dbback.Engine] for them.
//
// # The method
//
// The instance keeps, for its own incremental backups, a bitmap of the blocks that
// changed. The order is that of the manual's Concurrent External Backup:
//
//	look         read only: state, version, configuration, journals, mirror
//	list         LISTDIRS^DBACK and the configuration's databases
//	mark         CLRINC^DBACK: the bitmaps and the backup history are cleared
//	(copy)       the database files, while they are written to
//	list         the same again: another list makes the copy worthless
//	record       BACKUP^DBACK of type E: an external full backup was taken
//	estimate     INT^DBSIZE: how large will the incremental be?
//	incremental  BACKUP^DBACK of type I: every block that changed since the mark
//	journals     ^JRNSWTCH; the files from the oldest needed to the one with the
//	             marker, journal.log, the configuration
//
// # When an incremental counts
//
// The incremental counts as taken only if four things agree: the return value,
// the lines ***FINISHED BACKUP*** and Backup complete. of its log, the log's
// directories and the list that was copied, and a backup file that is not empty.
// And if the backup history shows that somebody else backed up the instance after
// the mark, it does not count at all: a backup clears the record of changed blocks.
//
// A session that is refused before it has done anything, as for a licence unit, is
// tried again a few times once a run has begun. When the journal cannot be switched,
// or no session can be had for that, the set is complete all the same: what is needed
// is in files by then.
//
// How the instance is spoken to, and how a session is ended that takes too long, is
// in the package session below this one; restores are in the package restore beside
// it. All that is said is kept in the set as transcripts.
//
// # What it leaves and needs
//
// The instance writes lists, backup file and log into a directory of the run in
// the work directory; the engine must be able to read them under the same paths,
// and the database and journal files too: it runs as the instance's owner, or as
// root, on the instance's host. End removes the directory; the next run does, once no
// session that outlived its datfs is at work there. Locks keep a
// second datfs away from the instance meanwhile.
//
// Not part of a set: the write image journal (WIJ), which must not be applied to
// restored files; iris.lck; file streams, which no incremental covers (the
// preflight warns); the encryption key. The incremental has blocks of encrypted
// databases in the clear.
//
// # What has been tried
//
// No InterSystems instance was at hand. All of this has been run against played
// answers and against the practice instance (dbback/practice), which behaves as
// documented as far as that goes. testdata/acceptance.sh asks a real instance what
// the preflight asks, for a person to compare: it changes nothing.
//
// # What is unknown
//
// Of these no document says more, and the code does not rely on one answer:
//
//   - The head of an incremental's log ("a" or "an Incremental"), and what a log of
//     a failure says. No such log is public.
//   - The exact layout of the file of LISTDIRS^DBACK; whether LISTDIRS and BACKUP
//     overwrite a file. Names are new each time.
//   - Whether a failed incremental leaves the bitmaps as they were: so a backup that
//     fails starts anew, with a mark and a copy of its own.
//   - What exactly the backup history holds: its subscripts are known from public
//     readers of the product's source. Without an answer backups of others are
//     not seen, and another CLRINC^DBACK never is.
//   - Whether E and I both count as backups towards BackupsBeforePurge: the
//     preflight warns at 2, the default.
//   - Which form SYS.Database's VolumeDirectoryList has: a $LIST and a single path are
//     understood, anything else fails the list.
//   - Whether the method is supported for databases of several volumes, and for
//     those that are truncated or compacted during the copy.
//   - Whether an abort has to be cleared with ClearAbortStatus. It is not.
//   - That a last counter of a journal day is known, or a whole day's files are:
//     only gaps within a day are found.
//   - How the lines of journal.log look: see [dbback.ReadJournalLog]. Whether a
//     member of a mirror that is not the primary still writes to the newest of the
//     mirror's files that it has: the archive leaves that one out until there is a
//     newer one, or it is compressed.
//   - Whether a journal file ever changes after it was closed, but for being
//     compressed; and which modification time it has then.
//   - The label of databases with other than 8 KiB blocks, and its moment of
//     writing after growth: a difference is a warning.
//
// # Sources
//
// InterSystems manual, Data Integrity Guide: Concurrent External Backup; ^DBACK
// entry points; BACKUP^DBACK; CLRINC^DBACK; ^DBSIZE; journaling.
// Configuration Parameter File Reference. Class reference: Backup.General, SYS.Database,
// Config.Databases. Logs published by InterSystems staff
// (github.com/iijimam/IRISBackupAndRestore), and what public scripts read
// (github.com/ontariosystems/isclib). Where a fact is from is said beside its use.
//
// # Files
//
//	options.go          what of a backup can be chosen
//	engine.go           Engine: New, Begin, End
//	preflight.go        the look at the instance and the session
//	lookdir.go          where the list of a look is written
//	findings.go         the look at journals, list and databases
//	restorable.go       which databases no restore can bring back
//	described.go        databases of the list that the configuration does not describe
//	history.go          backups by somebody else, meanwhile
//	unfinished.go       restores that have not ended
//	facts.go            what a restore wants to know of the installation
//	steps.go            list, mark, record, estimate, incremental
//	closed.go           closed journal files, for the archive
//	journals.go         journal files and configuration for the set
//	journalfile.go      which journal files a set needs, and which are missing
//	check.go            a stored copy against what the instance says
//	plan.go             what a run would do, and what a failure means
//	scripts.go          the statements of a backup
//	files.go            the files of a database
//
//	parse_values.go     return values, sizes, the list
//	parse_log.go        the log of a backup
//	parse_inventory.go  the databases of the configuration
//	parse_cpf.go        iris.cpf, cache.cpf
package iris
