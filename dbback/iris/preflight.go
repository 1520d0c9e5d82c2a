package iris

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"datfs/catalog"
	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// stepPreflight is what the transcript of the preflight is called.
const stepPreflight = "preflight"

// The checks of the preflight, as findings name them.
const (
	checkInstance    = "instance"   // is it up, and can users sign on?
	checkSession     = "session"    // does a session begin?
	checkNamespace   = "namespace"  // is it in %SYS?
	checkVersion     = "version"    //
	checkPrivileges  = "privileges" // may the session do what a backup does?
	checkManager     = "manager directory"
	checkConfig      = "configuration file"
	checkWorkDir     = "work directory"
	checkBusy        = "other backup"
	checkRestores    = "restores"     // are there some that have not ended?
	checkDaemon      = "write daemon" // is it suspended, as by a backup?
	checkSpace       = dbback.CheckIncremental
	checkList        = "backup list"         // which databases are, or are not, in it?
	checkSystem      = "system databases"    // are IRISSYS and IRISSECURITY in it?
	checkDescribed   = "described databases" // does the configuration know them?
	checkMounted     = "mounted"             // all listed, and for writing?
	checkDirectories = "directories"         // can a restore name them?
	checkFiles       = "database files"      // can they be read here?
	checkVolumes     = "volumes"             // are there databases of several files?
	checkStreams     = "file streams"        //
	checkEncryption  = "encryption"          //
	checkJournaling  = "journaling"          // of each database
	checkJournals    = "journal files"       // can they be read here?
	checkPurge       = "journal purge"       // how soon are they gone?
	checkMirror      = "mirror"              //
	checkRemote      = "remote databases"    //
	checkHistory     = "last full backup"    //
)

// A look is one preflight as it goes on.
type look struct {
	engine *Engine
	survey *dbback.Survey
	known  []catalog.Database // those of the survey that the configuration describes
}

func (l *look) add(level catalog.Level, check, do, format string, args ...any) {
	l.survey.Findings = append(l.survey.Findings, catalog.Finding{Level: level, Check: check, Text: fmt.Sprintf(format, args...), Do: do})
}

func (l *look) ok(check, format string, args ...any) {
	l.add(catalog.LevelOK, check, "", format, args...)
}

func (l *look) warn(check, do, format string, args ...any) {
	l.add(catalog.LevelWarn, check, do, format, args...)
}

func (l *look) fail(check, do, format string, args ...any) {
	l.add(catalog.LevelFail, check, do, format, args...)
}

// Preflight implements [dbback.Engine]. It makes the work directory if it is
// missing, and for a moment a directory in it; nothing else is changed.
func (e *Engine) Preflight(ctx context.Context) (*dbback.Survey, error) {
	e.heard, e.cpf, e.mgr, e.install, e.journal, e.places = nil, nil, "", "", "", nil
	l := &look{engine: e, survey: &dbback.Survey{Facts: make(map[string]string)}}
	l.all(ctx)
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	return l.survey, nil
}

// all looks at everything, as far as it comes: where one thing is needed for the
// next, the first that fails is the last finding.
func (l *look) all(ctx context.Context) {
	if !l.status(ctx) {
		return
	}
	a, ok := l.session(ctx)
	if !ok {
		return
	}
	l.configuration()
	l.facts()
	l.journals(a)
	l.mirror(a)
	l.history(a)
	l.daemon(a)
	if l.workDir() {
		l.databases(ctx, a)
		l.restores()
		l.space()
	}
}

// status asks the command for the instance's state, if it is the usual one.
func (l *look) status(ctx context.Context) bool {
	e := l.engine
	control := e.instance.ControlProgram()
	if control == "" {
		return true
	}
	limits := &e.instance.Options
	ctx, cancel := context.WithTimeout(ctx, max(limits.StatementTimeout, 0)+limits.Grace)
	defer cancel()
	line, text, err := e.instance.Qlist(ctx, control, e.instance.Name())
	e.heard = append(e.heard, said{stepPreflight, text})
	if err != nil {
		l.fail(checkInstance, "Check the name with: "+control+" list", "%v", err)
		return false
	}
	e.install = line.Directory
	switch status := strings.ToLower(line.Status); {
	case strings.HasPrefix(status, "down"):
		l.fail(checkInstance, "Start it; for the files of an instance that is down there is: datfs backup files", "the instance is %s", line.Status)
		return false
	case !strings.HasPrefix(status, "running"):
		l.fail(checkInstance, "Wait until users can sign on, and run it again", "the state of the instance is: %s", line.Status)
		return false
	case line.Health != "" && line.Health != "ok":
		l.warn(checkInstance, "Look in messages.log", "the instance is %s; its health is %q", line.Status, line.Health)
	default:
		l.ok(checkInstance, "%s", line.Status)
	}
	return true
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// session opens the first session and looks at whose it is.
func (l *look) session(ctx context.Context) (*session.Answer, bool) {
	e := l.engine
	a, err := e.session(ctx, stepPreflight, e.instance.Statement("preflight", lookScript()))
	command := strings.Join(e.instance.CommandLine(), " ")
	if failed, ok := errors.AsType[*session.NoAnswerError](err); ok {
		failed.What = command
		check := checkSession
		if failed.Down {
			check = checkInstance
		}
		l.fail(check, failed.Do, "%v", failed)
		return nil, false
	}
	if wrong, ok := errors.AsType[*session.NamespaceError](err); ok {
		l.fail(checkNamespace, "Take the Startup Namespace from this user, or use another one", "%v", wrong)
		return nil, false
	}
	if err != nil {
		l.fail(checkSession, "", "%v", err)
		return nil, false
	}
	l.ok(checkSession, "%s answers", command)
	l.ok(checkNamespace, "%%SYS")
	l.version(a)
	l.privileges(a)
	return a, l.manager(a)
}

func (l *look) version(a *session.Answer) {
	text := a.ProductVersion()
	l.survey.Version = text
	switch v := session.ParseVersion(text); {
	case v.Product == "" || v.Number == "":
		l.warn(checkVersion, "Try a restore before you rely on it", "%q is not known", text)
	case v.Year < oldest:
		l.warn(checkVersion, "Try a restore before you rely on it", "%s: nothing is known of %s before %d", text, v.Product, oldest)
	default:
		l.ok(checkVersion, "%s %s", v.Product, v.Number)
	}
}

// oldest is the first year of versions of which anything about this method was
// published: a sample of InterSystems Japan for Caché, corrected in 2013.
const oldest = 2013

// privileges reports what the session was not allowed to do.
func (l *look) privileges(a *session.Answer) {
	var denied []string
	for _, m := range a.All("ERR") {
		if t := a.Trap(m.Fields[0]); t != nil && t.Name == "<PROTECT>" {
			denied = append(denied, strings.TrimSuffix(m.Fields[0]+" at "+t.Location, " at "))
		}
	}
	if len(denied) > 0 {
		l.fail(checkPrivileges, "Give the user %Admin_Operate:Use and read and write access to IRISSYS (CACHESYS), or run as the instance's owner",
			"the session may not do all of it: <PROTECT> in %s", strings.Join(denied, ", "))
		return
	}
	l.ok(checkPrivileges, "nothing was refused; whether ^SYS can be written to is only seen in the backup")
}

// manager finds the manager directory.
func (l *look) manager(a *session.Answer) bool {
	mgr, err := a.Manager()
	if err != nil {
		l.fail(checkManager, "", "%v", err)
		return false
	}
	e := l.engine
	e.mgr = mgr
	l.survey.Facts["manager directory"] = session.Slashed(e.mgr)
	if info, err := os.Stat(e.mgr); err != nil || !info.IsDir() {
		l.fail(checkManager, "Run datfs where the instance's files are, as its owner", "%s cannot be looked into here: %s", e.mgr, errorText(err))
		return false
	}
	l.ok(checkManager, "%s", session.Slashed(e.mgr))
	return true
}

// workDir makes sure that the work directory is there, and that nobody else is
// backing up.
func (l *look) workDir() bool {
	e := l.engine
	dir := e.workDir()
	if err := session.MakeDir(dir); err != nil {
		l.fail(checkWorkDir, "Run datfs as the instance's owner, or give a --work-dir that both can write to", "it cannot be made: %v", err)
		return false
	}
	err := e.instance.Lock(e.mgr, false)
	if errors.Is(err, session.ErrBusy) {
		l.fail(checkBusy, "Wait for it to end; fuser -v with the path of the lock shows which process it is", "%v", err)
		return false
	}
	if err != nil {
		l.fail(checkWorkDir, "Run datfs as the instance's owner, or give a --work-dir that both can write to", "it cannot be written to: %v", err)
		return false
	}
	_ = e.instance.Unlock()
	e.removeLooks()
	l.ok(checkBusy, "no other datfs is at work; an online backup that runs is only seen when it suspends the write daemon, or makes this one fail")
	return true
}
