package gtm

import (
	"context"
	"fmt"
	"path/filepath"

	"datfs/catalog"
	"datfs/dbback"
)

// Preflight implements [dbback.Engine].
func (e *Engine) Preflight(ctx context.Context) (*dbback.Survey, error) {
	version, all, err := e.tools.listRegions(ctx)
	if err != nil {
		return nil, err
	}
	chosen, err := choose(all, e.opts.Regions)
	if err != nil {
		return nil, err
	}
	e.regions, e.plain = chosen, nil
	s := &dbback.Survey{Version: version, Facts: map[string]string{"gbldir": e.opts.Gbldir, "gtm_dist": e.tools.dist}}
	ok := func(check, format string, args ...any) {
		s.Findings = append(s.Findings, catalog.Finding{Level: catalog.LevelOK, Check: check, Text: fmt.Sprintf(format, args...)})
	}
	ok("engine", "%s in %s", version, e.tools.dist)
	ok("global directory", "%s, %s of %d", e.opts.Gbldir, plural(len(chosen), "region"), len(all))
	for i := range chosen {
		r := &chosen[i]
		s.Databases = append(s.Databases, r.database())
		s.Findings = append(s.Findings, r.findings()...)
		if r.header != nil && r.header.Journal != JournalOn {
			e.plain = append(e.plain, r.name)
		}
	}
	s.Findings = append(s.Findings, sameFile(chosen)...)
	s.Findings = append(s.Findings, tooMany(chosen)...)
	s.Findings = append(s.Findings, e.workFinding())
	ok("your incrementals", "a backup of datfs takes incremental backups of its own: a MUPIP BACKUP -SINCE=BYTESTREAM of yours begins where the last of these ended")
	return s, nil
}

// findings says what is to be known of a region.
func (r *region) findings() []catalog.Finding {
	var out []catalog.Finding
	add := func(level catalog.Level, text, do string) {
		out = append(out, catalog.Finding{Level: level, Check: "region " + r.name, Text: text, Do: do})
	}
	h := r.header
	switch {
	case r.err != nil:
		add(catalog.LevelFail, r.err.Error(), "Create its file (mupip create -region="+r.name+") or repair it, or name the regions to be backed up with --region")
		return out
	case h.Encrypted:
		add(catalog.LevelFail, "it is encrypted, and no restore of an encrypted database has been tried yet", "Back it up with GT.M's own means, and leave it out here with --region")
	case h.Corrupt:
		add(catalog.LevelFail, "its header says that it is damaged, or was never created to the end", "Recover it first: see mupip integ -region "+r.name)
	case h.BlockSize > maxIncrementalBlockSize:
		add(catalog.LevelFail, fmt.Sprintf("it has blocks of %d bytes, and GT.M takes incrementals only of up to %d", h.BlockSize, maxIncrementalBlockSize),
			"Store it at rest with datfs backup files")
	}
	if h.Frozen {
		add(catalog.LevelWarn, "it is frozen: the backup may wait until it is not", "Thaw it: mupip freeze -off "+r.name)
	}
	if h.Replicated {
		add(catalog.LevelWarn, "it is replicated, which has not been tried", "Rehearse a restore")
	}
	if h.Journal != JournalOn {
		add(catalog.LevelWarn, "it is not journaled: a restore ends at the backup", "Turn journaling on: mupip set -journal=enable,on,before -region "+r.name)
	}
	if err := checkPath(r.path); err != nil {
		add(catalog.LevelWarn, err.Error()+": datfs restore gtm cannot bring it back, a copy of what a mount shows below consistent/ can",
			"Move the database to another path")
	}
	if len(out) == 0 {
		add(catalog.LevelOK, fmt.Sprintf("%s, %d MiB, blocks of %d bytes, %s, %s, journal %s",
			r.path, h.FileSize()>>20, h.BlockSize, h.Format, access(h), h.JournalFile), "")
	}
	return out
}

// sameFile finds regions that share a file: one copy cannot follow two marks.
func sameFile(regions []region) []catalog.Finding {
	var out []catalog.Finding
	first := make(map[string]string)
	for _, r := range regions {
		path := r.path
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			path = resolved
		}
		if other, ok := first[path]; ok {
			out = append(out, catalog.Finding{
				Level: catalog.LevelFail, Check: "region " + r.name,
				Text: fmt.Sprintf("its file %s is that of region %s too", r.path, other),
				Do:   "Name one of the two with --region",
			})
		}
		first[path] = r.name
	}
	return out
}

// tooMany finds more regions than one command of MUPIP takes: an incremental over
// all of them must be one.
func tooMany(regions []region) []catalog.Finding {
	need := len(incrementalNames(regions))
	if need <= maxList {
		return nil
	}
	return []catalog.Finding{{
		Level: catalog.LevelFail, Check: "number of regions",
		Text: fmt.Sprintf("the list of %s takes %d bytes on MUPIP's command line, which takes %d", plural(len(regions), "region"), need, maxList),
		Do:   "Name some of them with --region, in several backups: each is of a moment of its own",
	}}
}

// Plan implements [dbback.Engine].
func (e *Engine) Plan(run *dbback.Run, survey *dbback.Survey) []dbback.PlannedStep {
	work := e.workDir(run)
	var marks, files, incs []string
	for _, db := range survey.Databases {
		marks = append(marks,
			"mumps -run %XCMD '"+peekCode(db.Name, peekTN)+"'",
			"mupip backup -bytestream -transaction=TN-1 -nonewjnlfiles -bkupdbjnl=disable "+db.Name+" "+quote(filepath.Join(work, markerName(db.Name))))
		files = append(files, db.Paths...)
		incs = append(incs, filepath.Join(work, incrementalName(db.Name)))
	}
	return []dbback.PlannedStep{
		{Step: dbback.StepPrepare, What: "make a directory for the incremental", Files: []string{work}},
		{Step: dbback.StepMark, What: "a marker for each region: changes count from its end on", Statements: marks},
		{Step: dbback.StepCopy, What: "copy the files while they are written to", Files: files},
		{Step: dbback.StepIncremental, What: "one incremental over all regions, as of one moment; new journal files begin at it", Statements: []string{
			"mupip backup -bytestream -since=bytestream -newjnlfiles=prevlink -bkupdbjnl=disable " + names(e.regions) + " " + quoteAll(incs),
		}, Files: incs},
		{Step: dbback.StepJournals, What: "close the journal files since the incremental and store them", Statements: []string{
			"mupip set -journal=on,before|nobefore -region " + names(e.regions),
		}},
		{Step: dbback.StepSeal, What: "make the set final"},
	}
}

// Sentences implements [dbback.Engine].
func (e *Engine) Sentences(step string) (means, next string) {
	switch step {
	case dbback.StepPrepare:
		return "", "Run the backup again."
	case dbback.StepSeal:
		return "The databases are as before; the set is not complete.", "Run the backup again."
	}
	return "The databases are as before. GT.M remembers an incremental backup of each region that is not kept, " +
			"which matters only to incremental backups of yours with -SINCE=BYTESTREAM.",
		"Run the backup again."
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
