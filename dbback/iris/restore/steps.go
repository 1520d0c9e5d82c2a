package restore

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
	stepLook      = "look"      // is it possible? Nothing is changed
	stepWIJ       = "wij"       // the write image journal is moved aside
	stepPrepare   = "prepare"   // what the instance reads is copied out of the set
	stepDismount  = "dismount"  //
	stepCopy      = "copy"      // the dirty copies are put in their places
	stepDefine    = "define"    // databases are added to the configuration
	stepMount     = "mount"     //
	stepApply     = "apply"     // the incremental
	stepJournals  = "journals"  //
	stepIntegrity = "integrity" //
	stepRelease   = "release"   // the second instance lets go of the databases
	stepStart     = "start"     // without WIJ and journal recovery
	stepValidate  = "validate"  // all databases are mounted there
	stepNormal    = "normal"    // it is started as always
	stepRemove    = "remove"    // a drill's databases are removed
)

// A planStep is one step of a plan.
type planStep struct {
	name string
	acts []act

	// again is the step at which a restore that failed in this one begins again.
	// An incremental must find its target exactly as the copy left it (InterSystems
	// manual, ^DBREST): after a failure between the two the copy is put back first,
	// as the instance may have mounted the database meanwhile, and changed it.
	again string
}

// makeSteps returns the steps of the plan.
func (p *Plan) makeSteps() []planStep {
	dirs := p.dirs()
	copies := []act{&unusedAct{p}, &copyAct{p}, &removeAct{p.lockFiles()}}
	look := planStep{stepLook, []act{&lookAct{p}}, stepLook}
	prepare := planStep{stepPrepare, []act{&extractAct{p}}, stepPrepare}
	apply := planStep{stepApply, []act{&incrementalAct{p}, &listAct{p}, p.terminal("EXTSELCT^DBREST", []string{applyStatement(p.incremental(), p.listFile())},
		func(_ *restoration, a *session.Answer) error { return judgeApply(a, p.Databases) }).long()}, stepCopy}
	mount := func() *terminalAct {
		return p.terminal("mounting", mountStatements(dirs), func(_ *restoration, a *session.Answer) error { return judgeMount(a, dirs) })
	}
	check := planStep{stepIntegrity, []act{&remountAct{mount(), stepIntegrity}, p.terminal("CheckList^Integrity", checkStatements(dirs),
		func(_ *restoration, a *session.Answer) error { return judgeCheck(a, dirs) }).long()}, stepIntegrity}
	var steps []planStep
	switch p.Way {
	case WayEverything:
		steps = []planStep{
			look,
			{stepWIJ, []act{&wijAct{p}}, stepWIJ},
			prepare,
			{stepCopy, append([]act{&againAct{p.dismount()}}, copies...), stepCopy},
			apply,
		}
	default:
		if p.Way == WayElsewhere {
			copies = append([]act{&placeAct{p}}, copies...)
		}
		steps = []planStep{look, prepare, {stepDismount, []act{p.dismount()}, stepDismount}, {stepCopy, copies, stepDismount}}
		if p.opts.Define {
			steps = append(steps, planStep{stepDefine, []act{p.terminal("Config.Databases", defineStatements(p.Databases),
				func(_ *restoration, a *session.Answer) error { return judgeDefine(a, p.Databases) })}, stepDismount})
		}
		steps = append(steps, planStep{stepMount, []act{mount()}, stepDismount})
		apply.again = stepDismount
		steps = append(steps, apply)
	}
	if !p.journals.none {
		steps = append(steps, planStep{stepJournals, []act{&fetchAct{p}, &remountAct{mount(), stepJournals}, p.terminal("Journal.Restore", p.journalStatements(), (*restoration).journalsApplied).long()}, stepJournals})
	}
	steps = append(steps, check)
	switch {
	case p.Way == WayEverything:
		steps = append(steps, planStep{stepRelease, []act{p.dismount(), &noLockAct{p}}, stepRelease},
			planStep{stepStart, []act{&startAct{p}}, stepStart},
			planStep{stepValidate, []act{&validateAct{p}}, stepStart}, // it may have been stopped by hand
			planStep{stepNormal, []act{&normalAct{p}}, stepNormal})
	case p.opts.Drill:
		steps = append(steps, planStep{stepRemove, []act{p.dismount(), &dropAct{p}}, stepRemove})
	}
	return steps
}

// dismount dismounts the plan's databases.
func (p *Plan) dismount() *terminalAct {
	dirs := p.dirs()
	return p.terminal("dismounting", dismountStatements(dirs), func(_ *restoration, a *session.Answer) error { return judgeDismount(a, dirs) })
}

// runDir returns the directory of a restore: the same for the same restore, so
// that it can be gone on with.
func runDir(base string, set catalog.SetName, key string) string {
	return filepath.Join(base, session.RestorePrefix+strings.Join([]string{set.Instance, set.Name, key}, "-"))
}

// shortSum makes a short name of a text.
func shortSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:4])
}

// Files in the work directory.

// incremental returns where the incremental is put for the instance to read.
func (p *Plan) incremental() string {
	return filepath.Join(p.Work, p.Set.Method.Incrementals[0])
}

// journalDir returns where journal files are put, with a slash.
func (p *Plan) journalDir() string { return filepath.Join(p.Work, "journals") + "/" }

// listFile returns the list of directories that ^DBREST is given, and deletes.
func (p *Plan) listFile() string { return filepath.Join(p.Work, "dirlist.txt") }

// listKept returns the copy of it that stays.
func (p *Plan) listKept() string { return filepath.Join(p.Work, "dirlist.kept.txt") }
