package session

import (
	"fmt"
	"strings"
)

// A Script is what a session is told, line by line: the terminal takes commands
// of one line only (InterSystems manual, Using the ObjectScript Shell).
//
// A statement answers with markers: lines that begin with @@NAME| and are all
// that is looked at in a session's output. One that fails answers with
// @@ERR|NAME|error|location|data, since after an error the terminal goes on with
// the next line. What takes its time is called before its marker is written: else a
// session that ends meanwhile leaves a marker with whatever is said of that.
type Script []string

// NewScript puts the statements between what all sessions begin and end with.
func NewScript(statements ...string) Script {
	s := Script{`write !,"@@READY|",$zversion,!`, `write !,"@@NS|",$namespace,!`}
	return append(append(s, statements...), "halt")
}

// String returns the lines as they are sent.
func (s Script) String() string { return strings.Join(s, "\n") + "\n" }

// Trapped makes a statement that answers under the marker's name even if it
// fails.
func Trapped(marker, statement string) string {
	return fmt.Sprintf(`try { %s } catch e { write !,"@@ERR|%s|",e.Name,"|",e.Location,"|",e.Data,! }`, statement, marker)
}

// Quote returns s as a string literal of ObjectScript. Control characters, which
// no literal can have, are checked for where paths and texts come in.
func Quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// ManagerStatement asks for the manager directory: see [Answer.Manager].
func ManagerStatement() string {
	return Trapped("MGR", `write !,"@@MGR|",##class(%File).ManagerDirectory(),!`)
}

// JournalStatement asks for the current journal file and the directories of
// journal files: see [Answer.JournalPlaces].
func JournalStatement() string {
	return Trapped("JRN", `write !,"@@JRN|",##class(%SYS.Journal.System).GetCurrentFileName(),"|",##class(%SYS.Journal.System).GetPrimaryDirectory(),"|",##class(%SYS.Journal.System).GetAlternateDirectory(),!`)
}

// MirrorStatement asks for the role of this member: the marker MIR has what
// IsMember and IsPrimary return.
func MirrorStatement() string {
	return Trapped("MIR", `write !,"@@MIR|",$SYSTEM.Mirror.IsMember(),"|",$SYSTEM.Mirror.IsPrimary(),!`)
}
