package restore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"datfs/dbback"
	"datfs/dbback/iris/session"
)

// A lookAct finds out whether the restore can be done. It changes nothing.
type lookAct struct{ p *Plan }

func (c *lookAct) tells() []string {
	statements := []string{session.ManagerStatement()}
	if c.p.opts.asksForJournals() {
		statements = append(statements, session.JournalStatement())
	}
	return append(statements, c.questions()...)
}

// questions are those that the session of the look asks; the others were asked
// before the plan was made.
func (c *lookAct) questions() []string {
	statements := append([]string{session.MirrorStatement()}, stateStatements(c.p.dirs())...)
	if c.p.Way == WayElsewhere {
		statements = append(statements, ownersStatement())
	}
	if c.p.opts.Define {
		statements = append(statements, configStatements(c.p.Databases)...)
	}
	return statements
}

func (c *lookAct) show(b *book) {
	if c.p.Way == WayEverything {
		b.say("down")
		b.mustBe("down", c.p.Target)
	}
	b.terminal(c.tells())
	if c.p.Way == WayElsewhere {
		b.say("owners")
	}
	if j := &c.p.journals; c.p.Way == WayDatabases && !j.none && j.last == "" {
		b.say("joined", j.first)
	}
}

func (c *lookAct) run(ctx context.Context, r *restoration) error {
	p := c.p
	if err := r.endian(ctx); err != nil {
		return err
	}
	for _, f := range r.foreign() {
		r.note("%s", f)
	}
	if err := r.isFree(); err != nil {
		return err
	}
	if !r.done(stepJournals) {
		if err := p.checkJoined(); err != nil {
			return err
		}
	}
	// Before anything is dismounted: is there room, and may it be written to?
	if err := dbback.CheckRestore(r.repo, dbback.RestoreOptions{Set: p.Set.SetName(), Place: p.files()}); err != nil {
		return refuse("%w", err)
	}
	if p.Way == WayEverything {
		if err := r.isDown(ctx); err != nil {
			return err
		}
	}
	a, err := r.session(ctx, r.instance.Statement("asking for the state of the databases", session.NewScript(c.questions()...)))
	if err != nil {
		return err
	}
	if p.Way == WayElsewhere {
		if err := judgeOwners(a, p); err != nil {
			return err
		}
	}
	if p.opts.Define {
		if err := judgeUndefined(a, p.Databases); err != nil {
			return err
		}
	}
	st, err := states(a, p.dirs())
	if trap, ok := errors.AsType[*session.TrapError](err); ok { // of a database that is lost: what is said then is not documented
		r.note("%v", trap)
		st, err = knownStates(a, p.dirs()), nil
	}
	if err != nil {
		return err
	}
	return r.mirrors(a, st)
}

// knownStates returns the states of the databases of which the instance gives one.
func knownStates(a *session.Answer, dirs []string) []dbState {
	out := make([]dbState, len(dirs))
	for i, dir := range dirs {
		for _, m := range a.All("ST") {
			if m.Fields[0] == strconv.Itoa(i) {
				out[i], _ = parseState(m.Fields[1:], dir) // the last one counts
			}
		}
	}
	return out
}

// judgeUndefined refuses to define databases whose names the configuration has for
// other directories.
func judgeUndefined(a *session.Answer, dbs []Database) error {
	values, err := numbered(a, "Config.Databases", "CFG", len(dbs))
	if err != nil {
		return err
	}
	for i, v := range values {
		if dir := session.Slashed(strings.Join(v, "|")); dir != "" && dir != dbs[i].To {
			return refuse("the configuration has a database %s in %s already: restore without --define, and add it under another name", dbs[i].Name, dir)
		}
	}
	return nil
}

// isFree makes sure that a drill, which removes what it restored and asks nobody,
// finds no files in its places but those that one like it has begun to write.
func (r *restoration) isFree() error {
	if !r.opts.Drill || r.state.Copied {
		return nil
	}
	for _, path := range r.plan.paths() {
		if _, err := os.Lstat(path); err == nil {
			return refuse("%s exists, and a drill would overwrite and remove it: name another directory, or remove it", path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// mirrors refuses what the engine would refuse (InterSystems manual, ^DBREST,
// mirrored databases).
func (r *restoration) mirrors(a *session.Answer, st []dbState) error {
	role, _ := a.Find("MIR")
	failover := len(role.Fields) > 0 && role.Fields[0] == "1"
	primary := len(role.Fields) > 1 && role.Fields[1] == "1"
	async := strings.Contains(r.plan.Set.Method.Facts["mirror"], "async")
	for i, s := range st {
		db := r.plan.Databases[i]
		switch {
		case s.mirrored && primary:
			return refuse("%s is an active mirrored database and this is the primary: ^DBREST refuses it. Remove it from the mirror first", db.Name)
		case s.mirrored && async && failover:
			return refuse("the set was taken on an async member of a mirror, and this is a failover member: it can only be restored on async members, or as new databases")
		case s.mirrored:
			r.warn("%s is mirrored: after the restore the instance should activate it and catch up by itself; look at its state in the mirror", db.Name)
		case db.Mirror != "" && db.redirected:
			r.warn("%s is of a mirror (%s): on another system it must be activated in a mirror, or removed from it, before the incremental is applied", db.Name, db.Mirror)
		}
	}
	return nil
}

// isDown makes sure that the instance which gets its databases back is down, and
// that it is not the one that helps.
func (r *restoration) isDown(ctx context.Context) error {
	p := r.plan
	if strings.EqualFold(p.Target, p.Instance) {
		return refuse("%s cannot restore itself as a whole: a second instance has to apply the incremental and the journals", p.Target)
	}
	if r.done(stepRelease) {
		return nil // its databases are restored, and it may have been started since, by hand too
	}
	line, err := r.qlist(ctx, p.Target)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(strings.ToLower(line.Status), "down") {
		return refuse("%s is %s: it must be down, and must not be started before its databases are restored", p.Target, line.Status)
	}
	if r.mgr != "" && filepath.Clean(p.manager()) == r.mgr {
		return refuse("%s has its manager directory where the set's instance has it: it is no second instance", p.Instance)
	}
	if !line.Manages(p.manager()) {
		return refuse("%s is in %s, and the set %s is of an instance with the manager directory %s, which may be up: name that instance, or restore to other directories, with --to or --redirect",
			p.Target, line.Data, p.Set.SetName(), p.manager())
	}
	return nil
}

// checkSame refuses a set of another instance where its databases would go to
// where they were.
func (r *restoration) checkSame() error {
	p := r.plan
	mgr := r.mgr
	was := p.Set.Method.Facts[factManager]
	if p.Way == WayDatabases && was != "" && filepath.Clean(was) != mgr {
		return refuse("the set %s is of an instance with the manager directory %s, and %s has %s: to restore it here say where its databases go, with --to or --redirect",
			p.Set.SetName(), was, p.Instance, session.Slashed(mgr))
	}
	host, err := os.Hostname()
	if p.Way != WayElsewhere && err == nil && p.Set.Host != "" && p.Set.Host != host && !r.opts.OtherHost {
		return refuse("the set %s is of the host %s, and this is %s: if this one has taken its place, say --other-host; else say where its databases go, with --to or --redirect",
			p.Set.SetName(), p.Set.Host, host)
	}
	return r.checkPlaces()
}

// foreign says what is to be known of a restore on another system, or of
// encrypted databases.
func (r *restoration) foreign() (out []string) {
	p := r.plan
	var encrypted []string
	for _, db := range p.Databases {
		if db.Encrypted {
			encrypted = append(encrypted, db.Name)
		}
	}
	if len(encrypted) > 0 {
		out = append(out, fmt.Sprintf("%s encrypted: the key must be active in %s. The incremental is not encrypted, and lies in %s until the restore is done",
			strings.Join(encrypted, ", ")+isAre(len(encrypted)), p.Instance, p.Work))
	}
	was, is := session.ParseVersion(p.Set.Method.ProductVersion), session.ParseVersion(r.version)
	if was.Year > is.Year && is.Year > 0 {
		out = append(out, fmt.Sprintf("the set is of %s %s, and %s is %s: journals of newer versions may not be readable by older ones", was.Product, was.Number, p.Instance, is.Number))
	}
	return out
}

func isAre(n int) string {
	if n == 1 {
		return " is"
	}
	return " are"
}

// endian refuses databases of a machine with the other byte order: an incremental
// cannot be applied there (InterSystems manual; restore on a like machine, then
// convert with cvendian). What is not recognised, such as a database of another
// size than its label says, is not judged.
func (r *restoration) endian(ctx context.Context) error {
	set, err := r.repo.OpenSet(r.plan.Set.SetName())
	if err != nil {
		return err
	}
	defer func() { _ = set.Close() }()
	for _, db := range r.plan.Databases {
		if err := ctx.Err(); err != nil {
			return err
		}
		first := filepath.Clean(db.Paths[0])
		for i := range db.Files {
			if r.plan.Set.Files[i].Path != first {
				continue
			}
			head := make([]byte, dbback.HeadSize)
			n, err := set.File(i).ReadAt(head, 0)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if otherEndian(head[:n], r.plan.Set.Files[i].Size) {
				return refuse("%s was written on a machine with the other byte order: restore it on a like one, and convert it there with cvendian", db.Name)
			}
		}
	}
	return nil
}

// Offsets in the label, as in dbback: read off real files.
const (
	labelBlocks = 0x458 // u32
	labelMagic  = 0x5F4 // "Cache DB"
)

// otherEndian returns whether the number of blocks in a database's label makes
// sense in the byte order that this machine does not have, and only in that one.
func otherEndian(head []byte, size int64) bool {
	if len(head) < labelMagic+8 || string(head[labelMagic:labelMagic+8]) != "Cache DB" {
		return false
	}
	fits := func(n uint32) bool {
		if n == 0 || size%int64(n) != 0 {
			return false
		}
		bs := size / int64(n)
		return bs >= 2048 && bs <= 64<<10 && bits.OnesCount64(uint64(bs)) == 1
	}
	n := binary.NativeEndian.Uint32(head[labelBlocks:])
	return !fits(n) && fits(bits.ReverseBytes32(n))
}

// judgeDefine says whether the databases are in the configuration, with their new
// directories.
func judgeDefine(a *session.Answer, dbs []Database) error {
	values, err := numbered(a, "Config.Databases", "DEF", len(dbs))
	if err != nil {
		return err
	}
	for i, v := range values {
		if v[0] != "1" || len(v) < 2 || v[1] == "" {
			return &session.AnswerError{What: "Config.Databases.Create of " + dbs[i].Name, Answer: session.Printable(strings.Join(v, "|"))}
		}
		if dir := session.Slashed(strings.Join(v[1:], "|")); dir != dbs[i].To {
			return fmt.Errorf("the configuration has a database %s in %s already: restore without --define, and add it under another name", dbs[i].Name, dir)
		}
	}
	return nil
}
