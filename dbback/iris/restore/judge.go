package restore

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"datfs/dbback/iris/session"
)

// numbered returns the values of the markers of a name by the directory they are
// of. One that is missing is an error, and so is an error trap.
func numbered(a *session.Answer, what, name string, n int) ([][]string, error) {
	if t := a.Trap(name); t != nil {
		t.What = what
		return nil, t
	}
	out := make([][]string, n)
	for _, m := range a.All(name) {
		if i, err := strconv.Atoi(m.Fields[0]); err == nil && i >= 0 && i < n {
			out[i] = m.Fields[1:]
		}
	}
	for _, values := range out {
		if len(values) == 0 {
			return nil, a.NoAnswer(what)
		}
	}
	return out, nil
}

// A dbState is the state of a database as the instance gives it.
type dbState struct {
	known               bool
	mounted, readOnly   bool
	mirrored, encrypted bool
	blockSize           int
}

// states reads what stateStatements ask.
func states(a *session.Answer, dirs []string) ([]dbState, error) {
	values, err := numbered(a, "asking for the state of the databases", "ST", len(dirs))
	if err != nil {
		return nil, err
	}
	out := make([]dbState, len(dirs))
	for i, v := range values {
		if out[i], err = parseState(v, dirs[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// parseState reads the state of the database in dir.
func parseState(v []string, dir string) (dbState, error) {
	if len(v) == 1 && v[0] == "none" {
		return dbState{}, nil
	}
	if len(v) < 5 || v[0] != "0" && v[0] != "1" {
		return dbState{}, &session.AnswerError{What: "SYS.Database of " + dir, Answer: session.Printable(strings.Join(v, "|"))}
	}
	bs, _ := strconv.Atoi(v[4])
	return dbState{known: true, mounted: v[0] == "1", readOnly: v[1] == "1", mirrored: v[2] == "1", encrypted: v[3] == "1", blockSize: bs}, nil
}

// judgeDismount says whether all databases are dismounted.
func judgeDismount(a *session.Answer, dirs []string) error {
	values, err := numbered(a, "dismounting", "DM", len(dirs))
	if err != nil {
		return err
	}
	for i, v := range values {
		if v[0] != "1" && v[0] != "none" {
			return &session.AnswerError{What: "Dismount of " + dirs[i], Answer: session.Printable(strings.Join(v, "|")), Why: "it may be in use"}
		}
	}
	st, err := states(a, dirs)
	if err != nil {
		return err
	}
	for i, s := range st {
		if s.mounted {
			return fmt.Errorf("%s was dismounted, but the instance says that it is mounted: somebody may have used it; keep everybody out", dirs[i])
		}
	}
	return nil
}

// judgeMount says whether all databases are mounted so that they can be written
// to. One that is not is often so because of a lock file of another machine beside
// it (seen in the field).
func judgeMount(a *session.Answer, dirs []string) error {
	values, err := numbered(a, "mounting", "MT", len(dirs))
	if err != nil {
		return err
	}
	for i, v := range values {
		if v[0] != "1" {
			return &session.AnswerError{What: "Mount of " + dirs[i], Answer: session.Printable(strings.Join(v, "|")), Why: "look in messages.log; owner and mode of the directory and the file must be the instance's"}
		}
	}
	return judgeWritable(a, dirs)
}

// judgeWritable says whether all databases are mounted for writing.
func judgeWritable(a *session.Answer, dirs []string) error {
	st, err := states(a, dirs)
	if err != nil {
		return err
	}
	for i, s := range st {
		switch {
		case !s.known:
			return fmt.Errorf("the instance does not know a database in %s: whether it is mounted cannot be told", dirs[i])
		case !s.mounted:
			return fmt.Errorf("%s is not mounted", dirs[i])
		case s.readOnly:
			return fmt.Errorf("%s is mounted read-only: dismount it, and see that no iris.lck is left in its directory and that the file can be written to", dirs[i])
		}
	}
	return nil
}

// What EXTSELCT^DBREST returns (InterSystems manual, Unattended Restore Using
// ^DBREST). The number of success is lost in every copy of the page that is
// public: what is not negative is taken for it if the output agrees.
var restCodes = map[string]string{
	"-1": "it cannot open the incremental",
	"-2": "the label of the incremental does not fit the instance's backup history",
	"-3": "a backup or restore is in progress in the instance",
	"-4": "it cannot read the list of directories",
	"-5": "the journal option is invalid",
	"-6": "the journal file is invalid",
}

// What the brackets hold of a database that is not mounted is not documented.
var reMounted = regexp.MustCompile(`(?m)^\s+(\S.*?)\s+\.\.\. \((.+?)\)\s*$`)

// Lines that a restore prints. The time at the end of the first is what tells a
// directory from another one whose name goes on with " at ".
const (
	restoringLine  = "***Restoring "
	noJournalsLine = "[Journal not applied to any directory]"
)

var reClock = regexp.MustCompile(`^\d[\d:/ ]*$`)

// afterLine returns what follows the first line that ends in begin and a time.
func afterLine(text, begin string) (after string, found bool) {
	for {
		if _, text, found = strings.Cut(text, begin+" at "); !found {
			return "", false
		}
		if clock, rest, _ := strings.Cut(text, "\n"); reClock.MatchString(strings.TrimSpace(clock)) {
			return rest, true
		}
	}
}

// judgeApply says whether an incremental was applied to all databases: the value
// that is returned and what is printed must agree. The texts are those of runs
// that InterSystems staff published.
func judgeApply(a *session.Answer, dbs []Database) error {
	const what = "EXTSELCT^DBREST"
	m, err := a.Need(what, "REST")
	if err != nil {
		return err
	}
	value := strings.TrimSpace(m.Value)
	if n, err := strconv.Atoi(value); err != nil || n < 0 {
		return &session.AnswerError{What: what, Answer: session.Printable(value), Why: restCodes[value]}
	}
	text := strings.ReplaceAll(a.Said, "\r", "")
	state := make(map[string]string)
	for _, m := range reMounted.FindAllStringSubmatch(text, -1) {
		state[session.Slashed(m[1])] = m[2]
	}
	var bad []string
	for _, db := range dbs {
		line := restoringLine + db.Directory
		if db.moved() {
			line += " to " + db.To
		}
		after, found := afterLine(text, line)
		switch next, _, _ := strings.Cut(after, restoringLine); {
		case !found:
			bad = append(bad, "it says nothing of restoring "+db.Directory)
		case !strings.Contains(next, " blocks restored in "):
			bad = append(bad, "it says of no blocks that they were restored to "+db.To)
		case state[db.To] == "":
			bad = append(bad, "it does not say that it mounted "+db.To)
		case state[db.To] != "Mounted":
			bad = append(bad, db.To+" is "+session.Printable(state[db.To]))
		}
	}
	if !strings.Contains(text, noJournalsLine) {
		bad = append(bad, `it does not say "`+noJournalsLine+`"`)
	}
	if len(bad) > 0 {
		return &session.DisagreeError{What: what, With: bad}
	}
	return nil
}

// judgeJournals says whether the journals were applied. It returns what is worth
// knowing and what is not as it should be, as sentences.
func judgeJournals(a *session.Answer, p *Plan) (notes, warnings []string, err error) {
	const what = "Journal.Restore"
	for _, step := range []string{"JNEW", "JSET", "JLAST", "JLOC", "JSEL", "JRED", "JCHK", "JRUN"} {
		if t := a.Trap(step); t != nil {
			t.What = what
			return nil, nil, t
		}
	}
	for _, m := range a.All("JSEL") {
		if len(m.Fields) > 1 && m.Fields[1] != "1" {
			return nil, nil, &session.AnswerError{What: "SelectUpdates", Answer: session.Printable(m.Value)}
		}
	}
	check, err := a.Need(what, "JCHK")
	if err != nil {
		return nil, nil, err
	}
	if check.Fields[0] != "1" {
		return nil, nil, &session.AnswerError{What: "CheckJournalIntegrity", Answer: session.Printable(check.Value), Why: "nothing was applied"}
	}
	run, err := a.Need(what, "JRUN")
	if err != nil {
		return nil, nil, err
	}
	if run.Fields[0] != "1" {
		return nil, nil, &session.AnswerError{What: what, Answer: session.Printable(run.Value)}
	}
	if _, ok := a.Find("JROLL"); !ok {
		warnings = append(warnings, "this version could not be told to roll back open transactions (the property RollBack)")
	}
	updated, skipped := updatedList(a.Said, "updated"), updatedList(a.Said, "skipped")
	for _, db := range p.Databases {
		switch {
		case updated[db.To]:
		case skipped[db.To], db.moved() && skipped[db.Directory]:
			return nil, nil, fmt.Errorf("%s answered success, but skipped %s", what, db.To)
		default:
			notes = append(notes, fmt.Sprintf("the journals had no updates of %s", db.Name))
		}
	}
	return notes, warnings, nil
}

var reNumbered = regexp.MustCompile(`^\s*\d+\.\s+(/.*?)\s*$`)

// updatedList reads one of the lists at the end of a journal restore.
func updatedList(text, kind string) map[string]bool {
	out := make(map[string]bool)
	_, rest, ok := strings.Cut(text, "The following databases have been "+kind+":")
	if !ok {
		return out
	}
	for line := range strings.Lines(rest) {
		line = strings.TrimRight(line, "\r\n")
		m := reNumbered.FindStringSubmatch(line)
		switch {
		case m != nil && !session.HasControl(m[1]):
			out[session.Slashed(m[1])] = true
		case strings.TrimSpace(line) != "":
			return out
		}
	}
	return out
}

// A DamageError means that the integrity check did not find all databases sound:
// it found errors, or did not come to its end.
type DamageError struct {
	Findings []IntegrityFinding
	Instead  string // what to restore instead, as a hint; "" if nobody has said
}

// An IntegrityFinding is what the integrity check says of one database.
type IntegrityFinding struct {
	Directory string `json:"directory"`
	Status    string `json:"status"`         // the text of its status
	Said      string `json:"said,omitempty"` // what it displays: errors and warnings
}

func (e *DamageError) Error() string {
	var dirs []string
	for _, f := range e.Findings {
		dirs = append(dirs, f.Directory)
	}
	return fmt.Sprintf("the integrity check does not find %s sound: %s", strings.Join(dirs, ", "), e.Findings[0].Status)
}

// maxFinding bounds what is kept of what the check displays of one database, in
// bytes.
const maxFinding = 16 << 10

// judgeCheck says whether the integrity check ran to its end in all databases and
// found nothing. A status that is not OK is either errors found or a check that
// did not complete: both are no proof of a sound database.
func judgeCheck(a *session.Answer, dirs []string) error {
	values, err := numbered(a, "CheckList^Integrity", "INT", len(dirs))
	if err != nil {
		return err
	}
	damage := &DamageError{}
	for i, v := range values {
		if v[0] == "1" {
			continue
		}
		_, said, _ := strings.Cut(a.Said, fmt.Sprintf("@@INT|%d|", i))
		_, said, _ = strings.Cut(said, "\n")
		said, _, _ = strings.Cut(said, "\n@@")
		damage.Findings = append(damage.Findings, IntegrityFinding{
			Directory: dirs[i], Status: session.LastLines(strings.Join(v[1:], "|")),
			Said: strings.TrimSpace(session.Printable(said[:min(len(said), maxFinding)])),
		})
	}
	if len(damage.Findings) == 0 {
		return nil
	}
	return damage
}
