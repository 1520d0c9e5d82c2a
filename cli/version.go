package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"datfs/catalog"
)

// version says which datfs this is. It comes from what the compiler recorded,
// so there is no number to forget to raise.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	v := info.Main.Version
	if v == "" {
		v = "(devel)"
	}
	var revision, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", modified"
		}
	}
	if revision != "" {
		v = fmt.Sprintf("%s (revision %s%s)", v, revision, modified)
	}
	return v
}

// versionText is what --version prints after the program's name.
func versionText() string {
	return fmt.Sprintf("%s, repository format %d, %s %s/%s", version(), catalog.FormatVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
