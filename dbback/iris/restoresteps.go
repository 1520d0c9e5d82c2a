package iris

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"

	"datfs/catalog"
	"datfs/dbback/iris/session"
)

// The steps of restores. Which of them there are, and their order, depends on the
// way.
const (
	restLook      = "look"      // is it possible? Nothing is changed
	restWIJ       = "wij"       // the write image journal is moved aside
	restPrepare   = "prepare"   // what the instance reads is copied out of the set
	restDismount  = "dismount"  //
	restCopy      = "copy"      // the dirty copies are put in their places
	restDefine    = "define"    // databases are added to the configuration
	restMount     = "mount"     //
	restApply     = "apply"     // the incremental
	restJournals  = "journals"  //
	restIntegrity = "integrity" //
	restRelease   = "release"   // the second instance lets go of the databases
	restStart     = "start"     // without WIJ and journal recovery
	restValidate  = "validate"  // all databases are mounted there
	restNormal    = "normal"    // it is started as always
	restRemove    = "remove"    // a drill's databases are removed
)

// A restoreStep is one step of a plan.
type restoreStep struct {
	name string
	acts []act

	// again is the step at which a restore that failed in this one begins again.
	// An incremental must find its target exactly as the copy left it (InterSystems
	// manual, ^DBREST): after a failure between the two the copy is put back first,
	// as the instance may have mounted the database meanwhile, and changed it.
	again string
}

// makeSteps returns the steps of the plan.
func (p *RestorePlan) makeSteps() []restoreStep {
	dirs := p.dirs()
	copies := []act{&unusedAct{p}, &copyAct{p}, &removeAct{p.lockFiles()}}
	look := restoreStep{restLook, []act{&lookAct{p}}, restLook}
	prepare := restoreStep{restPrepare, []act{&extractAct{p}}, restPrepare}
	apply := restoreStep{restApply, []act{&listAct{p}, p.terminal("EXTSELCT^DBREST", []string{applyStatement(p.incremental(), p.listFile())},
		func(_ *restoration, a *session.Answer) error { return judgeApply(a, p.Databases) }).long()}, restCopy}
	mount := func() *terminalAct {
		return p.terminal("mounting", mountStatements(dirs), func(_ *restoration, a *session.Answer) error { return judgeMount(a, dirs) })
	}
	check := restoreStep{restIntegrity, []act{&remountAct{mount(), restIntegrity}, p.terminal("CheckList^Integrity", checkStatements(dirs),
		func(_ *restoration, a *session.Answer) error { return judgeCheck(a, dirs) }).long()}, restIntegrity}
	var steps []restoreStep
	switch p.Way {
	case WayEverything:
		steps = []restoreStep{
			look,
			{restWIJ, []act{&wijAct{p}}, restWIJ},
			prepare,
			{restCopy, append([]act{&againAct{p.dismount()}}, copies...), restCopy},
			apply,
		}
	default:
		steps = []restoreStep{look, prepare, {restDismount, []act{p.dismount()}, restDismount}, {restCopy, copies, restDismount}}
		if p.opts.Define {
			steps = append(steps, restoreStep{restDefine, []act{p.terminal("Config.Databases", defineStatements(p.Databases),
				func(_ *restoration, a *session.Answer) error { return judgeDefine(a, p.Databases) })}, restDismount})
		}
		steps = append(steps, restoreStep{restMount, []act{mount()}, restDismount})
		apply.again = restDismount
		steps = append(steps, apply)
	}
	if !p.journals.none {
		steps = append(steps, restoreStep{restJournals, []act{&remountAct{mount(), restJournals}, p.terminal("Journal.Restore", p.journalStatements(), (*restoration).journalsApplied).long()}, restJournals})
	}
	steps = append(steps, check)
	switch {
	case p.Way == WayEverything:
		steps = append(steps, restoreStep{restRelease, []act{p.dismount(), &noLockAct{p}}, restRelease},
			restoreStep{restStart, []act{&startAct{p}}, restStart},
			restoreStep{restValidate, []act{&validateAct{p}}, restStart}, // it may have been stopped by hand
			restoreStep{restNormal, []act{&normalAct{p}}, restNormal})
	case p.opts.Drill:
		steps = append(steps, restoreStep{restRemove, []act{p.dismount(), &dropAct{p}}, restRemove})
	}
	return steps
}

// dismount dismounts the plan's databases.
func (p *RestorePlan) dismount() *terminalAct {
	dirs := p.dirs()
	return p.terminal("dismounting", dismountStatements(dirs), func(_ *restoration, a *session.Answer) error { return judgeDismount(a, dirs) })
}

// restoreDir returns the directory of a restore: the same for the same restore, so
// that it can be gone on with.
func restoreDir(base string, set catalog.SetName, key string) string {
	return filepath.Join(base, session.RestorePrefix+strings.Join([]string{set.Instance, set.Name, key}, "-"))
}

// shortSum makes a short name of a text.
func shortSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

// Files in the work directory.

// incremental returns where the incremental is put for the instance to read.
func (p *RestorePlan) incremental() string {
	return filepath.Join(p.Work, p.Set.Method.Incrementals[0])
}

// journalDir returns where journal files are put, with a slash.
func (p *RestorePlan) journalDir() string { return filepath.Join(p.Work, "journals") + "/" }

// listFile returns the list of directories that ^DBREST is given, and deletes.
func (p *RestorePlan) listFile() string { return filepath.Join(p.Work, "dirlist.txt") }

// listKept returns the copy of it that stays.
func (p *RestorePlan) listKept() string { return filepath.Join(p.Work, "dirlist.kept.txt") }
