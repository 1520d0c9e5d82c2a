package played

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// What the played instance does in a restore. A database is mounted if it has its
// lock file. Each statement is written down in the file "told" beside the answers',
// by its marker.

var (
	reDirectory = regexp.MustCompile(`(?:%OpenId|MountDatabase|SelectUpdates|listbuild)\("((?:[^"]|"")*)"`)
	reIndex     = regexp.MustCompile(`"@@[A-Z]+\|(\d+)`)
	reApply     = regexp.MustCompile(`EXTSELCT\^DBREST\(1,0,"((?:[^"]|"")*)","((?:[^"]|"")*)",4,"",""\)`)
	reProperty  = regexp.MustCompile(`"@@JSET\|([A-Za-z]+)"`)
)

// restoring returns the answer to a statement of a restore when all is well.
func (f *Answers) restoring(name, line, home string) string {
	dir, n := "", ""
	if m := reDirectory.FindStringSubmatch(line); m != nil {
		dir = strings.ReplaceAll(m[1], `""`, `"`)
	}
	if m := reIndex.FindStringSubmatch(line); m != nil {
		n = m[1]
	}
	lock := filepath.Join(dir, "iris.lck")
	there := func(path string) bool { _, err := os.Stat(path); return err == nil }
	switch name {
	case "OWN":
		return f.owners()
	case "ST":
		if !there(filepath.Join(dir, "IRIS.DAT")) {
			return "@@ST|" + n + "|none"
		}
		if starts, _ := os.ReadFile(filepath.Join(home, "starts")); f.BadStart > 0 && len(starts) == f.BadStart {
			return "@@ST|" + n + "|1|1|0|0|8192"
		}
		if there(lock) {
			return "@@ST|" + n + "|1|0|0|0|8192"
		}
		return "@@ST|" + n + "|0|0|0|0|8192"
	case "DM":
		_ = os.Remove(lock) // it need not be there
		return "@@DM|" + n + "|1"
	case "MT":
		must(os.WriteFile(lock, []byte("lock"), 0o600))
		return "@@MT|" + n + "|1"
	case "REST":
		return f.apply(reApply.FindStringSubmatch(line))
	case "JNEW", "JROLL", "JLOC":
		return "@@" + name + "|1"
	case "JSET":
		return "@@JSET|" + reProperty.FindStringSubmatch(line)[1]
	case "JLAST":
		return "@@JLAST|" + f.Journal
	case "JSEL":
		return "@@JSEL|" + n + "|1|"
	case "JRED":
		return "@@JRED|" + n
	case "JCHK", "JRUN":
		return "@@" + name + "|1|"
	case "INT":
		return "@@INT|" + n + "|1|"
	case "DISP":
		return "No Errors were found in this directory."
	}
	return ""
}

// apply is EXTSELCT^DBREST: it reads the incremental and the list, mounts what it
// restores, and deletes the list.
func (f *Answers) apply(m []string) string {
	if _, err := os.ReadFile(m[1]); err != nil {
		return "@@REST|-1"
	}
	list, err := os.ReadFile(m[2])
	if err != nil {
		return "@@REST|-4"
	}
	must(os.Remove(m[2]))
	var b strings.Builder
	for line := range strings.Lines(string(list)) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		to, target := "", fields[0]
		if fields[1] != "" {
			to, target = " to "+fields[1], fields[1]
		}
		must(os.WriteFile(filepath.Join(target, "iris.lck"), []byte("lock"), 0o600))
		fmt.Fprintf(&b, "***Restoring %s%s at 10:00:00\n12 blocks restored in 0.1 seconds for this pass, 12 total restored.\n\nMounting %s\n    %s  ... (Mounted)\n", fields[0], to, target, target)
	}
	return b.String() + "\n[Journal not applied to any directory]\n\n@@REST|1"
}

// control is the program iris: it starts and stops the instance, of which the file
// "status" beside the answers' knows whether it is up. With "by hand" in it, it does
// not come up, with "half" not fully.
func (f *Answers) control(args []string, dir string) int {
	path := filepath.Join(dir, "status")
	status, err := os.ReadFile(path)
	switch {
	case args[0] == "qlist" && err == nil:
		fmt.Fprintln(os.Stdout, strings.Replace(strings.TrimSpace(f.Qlist), "running, since Sun Nov 22 03:00:00 2026", string(status), 1))
		return 0
	case args[0] == "qlist":
		fmt.Fprint(os.Stdout, f.Qlist)
		return 0
	case args[0] == "start" && string(status) == "down, by hand":
		fmt.Fprintln(os.Stdout, "did not come up")
	case args[0] == "start" && string(status) == "down, half":
		must(os.WriteFile(path, []byte("sign-on inhibited"), 0o600))
	case args[0] == "start":
		must(os.WriteFile(path, []byte("running, since now"), 0o600))
		starts, _ := os.ReadFile(filepath.Join(dir, "starts"))
		must(os.WriteFile(filepath.Join(dir, "starts"), append(starts, 'x'), 0o600))
		for _, db := range f.List {
			must(os.WriteFile(filepath.Join(db, "iris.lck"), []byte("lock"), 0o600))
		}
	default:
		must(os.WriteFile(path, []byte("down, last used now"), 0o600))
		for _, db := range f.List {
			must(os.Remove(filepath.Join(db, "iris.lck")))
		}
	}
	note(dir, args[0])
	return 0
}

// note writes down that a statement was told.
func note(dir, name string) {
	f, err := os.OpenFile(filepath.Join(dir, "told"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	must(err)
	fmt.Fprintln(f, name)
	must(f.Close())
}
