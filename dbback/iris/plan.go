package iris

import (
	"path/filepath"

	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// Plan implements [dbback.Engine]. The statements are made by the functions that
// make those that are run.
func (e *Engine) Plan(run *dbback.Run, survey *dbback.Survey) []dbback.PlannedStep {
	file, log := e.incrementalFiles(run)
	list := func(n string) session.Script { return listScript(filepath.Join(e.runDir(run), "list-"+n+".txt")) }
	var paths []string
	for _, db := range survey.Databases {
		paths = append(paths, db.Paths...)
	}
	incremental := incrementalScript(e.description("incremental", run), file, log, e.opts.QuiesceTimeout)
	return []dbback.PlannedStep{
		{Step: dbback.StepPrepare, What: "Make the directory of the run and list the databases", Statements: list("1"), Files: []string{e.runDir(run)}},
		{Step: dbback.StepMark, What: "Clear the record of changed blocks and the backup history: from here on changes are counted", Statements: markScript()},
		{Step: dbback.StepCopy, What: "Copy the database files while they are in use", Files: paths},
		{Step: dbback.StepList, What: "List the databases again; if they are others, the copy is discarded and made again, once", Statements: list("2")},
		{Step: dbback.StepRecord, What: "Record an external full backup (type E)", Statements: recordScript(e.description("external copy", run))},
		{Step: dbback.StepEstimate, What: "Ask how large the incremental will be, and compare with the free space", Statements: sizeScript()},
		{Step: dbback.StepIncremental, What: "Take the incremental (type I): all that changed since the mark. The instance suspends its write daemon for the last pass", Statements: incremental, Files: []string{file, log}},
		{Step: dbback.StepJournals, What: "Switch the journal, and store the files from the oldest that a restore needs to the one with the marker, journal.log, and the configuration", Statements: closeJournalScript(), Files: append([]string{filepath.Join(e.mgr, dbback.JournalLog)}, e.configFiles()...)},
		{Step: dbback.StepSeal, What: "Make the set final"},
	}
}

// What a backup that ended in or after a step means. CLRINC^DBACK deletes the
// backup history, BACKUP^DBACK of type E records a full backup, and what a failed
// incremental does to the record of changed blocks is not documented (InterSystems
// manual, CLRINC^DBACK and BACKUP^DBACK).
const (
	unharmed = ". The databases themselves are unharmed"
	noChain  = "incremental and cumulative backups by other means fail until a full one is recorded" + unharmed
	noBase   = "an incremental by other means would build on nothing, and journals may be purged as if there were a backup"

	meansMark        = "CLRINC^DBACK may have cleared the backup history and the record of changed blocks: if so, " + noChain
	meansCopy        = "The backup history and the record of changed blocks are cleared: " + noChain
	meansRecord      = "The instance may have recorded an external full backup that does not exist as a usable set: " + noBase + unharmed
	meansEstimate    = "The instance has recorded an external full backup that does not exist as a usable set: " + noBase + unharmed
	meansIncremental = "The instance has recorded an external full backup that does not exist as a usable set: " + noBase +
		". If the last pass of the incremental was cut off, its write daemon may be suspended: messages.log says so" + unharmed
	meansSeal = "The instance has recorded an external full backup and an incremental of which there is no complete set: " + noBase + unharmed

	nextAgain = "Run the backup again: it starts anew, with a mark and a copy of its own. If that cannot be soon, take a full online backup"
)

// Sentences implements [dbback.Engine].
func (e *Engine) Sentences(step string) (means, next string) {
	switch step {
	case dbback.StepMark:
		return meansMark, nextAgain
	case dbback.StepCopy, dbback.StepList:
		return meansCopy, nextAgain
	case dbback.StepRecord:
		return meansRecord, nextAgain
	case dbback.StepEstimate:
		return meansEstimate, nextAgain
	case dbback.StepIncremental:
		return meansIncremental, nextAgain + ". If users hang, resume the write daemon with: iris stat " + e.instance.Name() + " -W"
	case dbback.StepJournals, dbback.StepSeal:
		return meansSeal, nextAgain
	}
	return "", ""
}
