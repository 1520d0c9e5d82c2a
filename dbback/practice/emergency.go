package practice

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
)

// emergencyEnv names the environment variable with the "USER,PASSWORD" of a start
// in emergency mode. "iris start" sets it, and not an argument, so that the
// password is in one command line and not in two.
const emergencyEnv = "DATFS_PRACTICE_EMERGENCY"

// Modes of an instance that runs, beside the normal one.
const (
	// ModeEmergency is after a start with EmergencyId, which the manual calls
	// maintenance mode: only that user may sign on.
	ModeEmergency = "emergency"

	// ModeNotUp is after such a start that did not come fully up: only sessions
	// with -B begin, and ^STURECOV is to be done in one.
	ModeNotUp = "not fully up"
)

// An emergency is how an instance is after "iris start INST
// EmergencyId=user,password" (InterSystems manual, Backup and Restore, and
// Security Administration Guide, Emergency Access): authentication is by password
// only, nobody but this user can sign on, and this is so until the next start.
type emergency struct {
	user, password string

	// recovery is whether ^STURECOV is still to be done: normal, as the manual
	// says, when the WIJ was moved aside after a crash. Here it is the failure
	// "sturecov", so that both can be had.
	recovery bool
	reset    atomic.Bool // item 8 was chosen
}

// parseEmergency reads USER,PASSWORD; "" is none. What the product says of a
// mistake is not documented. That the user must not be one that exists is.
func parseEmergency(text, existing string) (*emergency, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // a normal start
	}
	user, password, ok := strings.Cut(text, ",")
	switch {
	case !ok || user == "" || password == "":
		return nil, &UsageError{errors.New("EmergencyId is USER,PASSWORD")}
	case strings.EqualFold(user, existing):
		return nil, &UsageError{fmt.Errorf("EmergencyId: user %s exists", user)}
	}
	return &emergency{user: user, password: password}, nil
}

// beginEmergency reads how the start is to be, and whether it is to be at all.
func (i *Instance) beginEmergency() (err error) {
	if i.arms.take("start-refused", nil) != nil {
		i.log("The start is refused: failure start-refused")
		return errRefused
	}
	text := i.opts.EmergencyID
	if text == "" {
		text = os.Getenv(emergencyEnv)
	}
	if i.emergency, err = parseEmergency(text, i.userName()); i.emergency != nil {
		i.emergency.recovery = i.arms.has("sturecov")
	}
	return err
}

// errRefused is what a start says that the failure start-refused refuses; the
// product's text is not known.
var errRefused = errors.New("the start is refused, as the failure start-refused wants; see messages.log")

// mode returns ModeEmergency or ModeNotUp, "" for a normal start.
func (i *Instance) mode() string {
	switch {
	case i.emergency == nil:
		return ""
	case i.emergency.recovery:
		return ModeNotUp
	}
	return ModeEmergency
}

// credentials returns what a session must be told to sign on; ask is false if it
// is not asked.
func (i *Instance) credentials() (user, password string, ask bool) {
	if i.emergency != nil {
		return i.emergency.user, i.emergency.password, true
	}
	return i.s.User, i.s.Password, i.s.Password != ""
}

// logEmergency writes to messages.log what an operator must know. The product's
// texts are not known, but that they are there, and what is to be done, is
// documented.
func (i *Instance) logEmergency() {
	switch i.mode() {
	case ModeEmergency:
		i.log("Emergency mode: only user %s can sign on", i.emergency.user)
	case ModeNotUp:
		i.log("The instance did not come fully up: what journal recovery needs was in the WIJ. Enter with: iris terminal %s -B, and do ^STURECOV", i.s.Name)
	}
}

// runSturecov is ^STURECOV, of whose menu only items 8 and 9 are here. Item 8's
// text is documented, and that it holds for the next start only and cannot be
// taken back; what surrounds it is a guess.
func runSturecov(c *call) (value, error) {
	for {
		fmt.Fprint(c.term, "\n 8) Reset system so journal is not restored at startup\n"+
			" 9) Display instructions on how to shut down the system\n\nEnter choice (or nothing to leave): ")
		answer, err := c.term.ReadLine(c)
		if err != nil {
			return nil, err
		}
		switch strings.TrimSpace(answer) {
		case "":
			return "", nil
		case "8":
			err = c.inst.resetRecovery(c)
		case "9":
			fmt.Fprintf(c.term, "\nTo shut down: iris stop %s quietly\n", c.inst.s.Name)
		default:
			fmt.Fprintln(c.term, "\nThe practice instance knows 8 and 9 only")
		}
		if err != nil {
			return nil, err
		}
	}
}

// resetRecovery is item 8: the next start comes fully up.
func (i *Instance) resetRecovery(c *call) error {
	if i.emergency == nil || !i.emergency.recovery || i.emergency.reset.Swap(true) {
		fmt.Fprintln(c.term, "\nThere is nothing to reset")
		return nil
	}
	if err := i.arms.drop("sturecov"); err != nil {
		return err
	}
	i.log("^STURECOV: journals are not restored at the next start")
	fmt.Fprintln(c.term, "\nThe journal is not restored at the next startup")
	return nil
}
