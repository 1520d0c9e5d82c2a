// Package restore brings the databases of a set of the engine dbback/iris back,
// ready for use, through the utilities of an InterSystems instance: as a command, and
// as a run-book for people who do the same by hand.
//
// # The ways
//
// There are three (InterSystems manual, Backup and Restore): some databases into the
// running instance; everything, while the instance is down, through a second one; and
// to other directories, of the same instance or another. A drill is the third way,
// and removes what it restored.
//
// # The plan
//
// The set and the options determine a plan: which databases go where, which journal
// files are applied, and the steps. A step consists of acts, and each act both shows
// what it is in the run-book and does it in a restore: so the two cannot differ.
//
//	look       what must not be done is refused here; nothing is changed
//	wij        the write image journal of before is moved aside (everything)
//	prepare    incremental and journals are copied out of the set
//	dismount   (not of everything: the instance is down)
//	copy       the dirty copies are put in place: only blocks that differ
//	define     databases are added to the configuration, if wished (elsewhere)
//	mount      (the same)
//	apply      EXTSELCT^DBREST: the incremental
//	journals   the class Journal.Restore, with rollback of open transactions
//	integrity  CheckList^Integrity
//	release    the second instance dismounts (everything)
//	start      without WIJ and journal recovery, validate, and normal (everything)
//	remove     (drill)
//
// Each step is recorded in the work directory before it is taken. A restore that
// ended in the middle goes on at a step that is safe to take: an incremental must
// find its target as the copy left it, so that a failure between the two makes the
// copy be put back; and an instance that was started since its write image journal
// was moved aside makes everything begin again there. Whether a step succeeded is
// judged by return values, by what is printed beside, and by the state that the
// instance gives afterwards.
//
// While a restore has not ended, others see it: its state is in the work directory,
// or a link to it in the usual one of the instance (session.Unfinished). No other
// restore of the same databases begins, and no backup of them. It is gone on with or
// given up; one that is begun over it makes it know; what is left of one whose databases
// were all restored since is removed. To
// other directories two could restore through different instances: they lock these, and
// the work directory.
//
// # What has been tried
//
// As with the backup, no InterSystems instance was at hand. The texts of ^DBREST that
// are judged are those of runs which InterSystems staff published; each file of testdata
// says where it is from. The steps are run against played answers and the
// practice instance.
//
// # What is unknown
//
// Of these no document says more, and the code does not rely on one answer:
//
//   - Which number EXTSELCT^DBREST returns on success: what is not negative is taken
//     for it, if the output agrees. What it prints of a database that it could not
//     mount.
//   - The default of RollBack of Journal.Restore, and whether old versions have it: it
//     is set on its own, and a refusal is a warning.
//   - Whether an instance that was started and stopped in order always leaves a write
//     image journal: one that is there again is proof that it was started, none is no
//     proof that it was not.
//   - What an instance says of the state of a database that is lost: a note.
//   - With which exit code a start without recovery ends that does not come fully up:
//     only "iris qlist" is asked. The manual's steps for that are an operator's
//     (ByHandError).
//   - Whether an instance that has lost its journals counts them anew, so that names come
//     again: content and times say what follows a set, never names alone.
//   - Whether IRISSECURITY can be dismounted while the instance is up, and how
//     volumes in other directories are moved: both are refused.
//
// # Sources
//
// InterSystems manual: Backup and Restore; Unattended Restore Using ^DBREST; Data
// Integrity Guide (integrity, journal restore). Class reference: SYS.Database,
// Journal.Restore, Config.Databases. Where a fact is from is said beside its use.
//
// # Files
//
//	way.go          which databases to where, by which way: the plan
//	journalplan.go  which journal files it applies
//	journalfind.go  those that the instance itself has, and what is missing
//	steps.go        its steps, and where one that failed begins again
//	acts.go         what steps do: what a run-book shows and what is run
//	extract.go      what is copied out of sets for the instance
//	everything.go   what only a restore of everything does
//	aside.go        which write image journals it moves, and back
//	places.go       whether what is restored elsewhere comes to lie where something is
//	look.go         whether it can be done
//	scripts.go      the statements
//	judge.go        whether their answers mean success
//	restoration.go  Run: one run of the plan
//	ending.go       how it ends, and how a drill that failed cleans up
//	state.go        what it keeps, to be gone on with
//	owned.go        directories and files that the instance's owner can change
//	durable.go      durably
//	unfinished.go   restores that have not ended
//	covered.go      what is left of those whose databases are restored now
//	takeover.go     one that is begun over another
//	giveup.go       how one is given up
//	hold.go         the directories that are restored to, elsewhere, and the work
//	                directory, for one restore at a time
//	damage.go       what is known of the set from restores before
//	summary.go      the plan, for programs
//	report.go       what it did, for people
//	runbook.go      run-books
//	setbook.go      that of a set, with all ways
//	runbookshell.go what they have people type
//	runbooktext.go  their sentences, in English and Japanese
package restore
