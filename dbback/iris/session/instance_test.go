package session

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadPassword(t *testing.T) {
	t.Setenv(PasswordEnv, "from env")
	if p, err := ReadPassword(""); err != nil || string(p) != "from env" {
		t.Errorf("%q, %v", p, err)
	}
	path := filepath.Join(t.TempDir(), "password")
	if _, err := ReadPassword(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	for text, want := range map[string]string{"one\r\ntwo\n": "one", "one": "one", "\ntwo": "", "": ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := ReadPassword(path)
		if string(p) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, p, err)
		}
	}
}

func TestOptions(t *testing.T) {
	tests := []struct {
		name   string
		change func(o *Options)
		ok     bool
	}{
		{"good", func(*Options) {}, true},
		{"no name", func(o *Options) { o.Instance = "" }, false},
		{"an option for a name", func(o *Options) { o.Instance = "-B" }, false},
		{"a path for a name", func(o *Options) { o.Instance = "../x" }, false},
		{"line feed in the password", func(o *Options) { o.User, o.Password = "u", []byte("a\nb") }, false},
		{"password without user", func(o *Options) { o.Password = []byte("a") }, false},
		{"relative work directory", func(o *Options) { o.WorkDir = "x" }, false},
		{"line feed in the work directory", func(o *Options) { o.WorkDir = "/x\ny" }, false},
		{"no end of an abort", func(o *Options) { o.AbortTimeout = -1 }, false},
		{"no end of a process", func(o *Options) { o.Grace = -1 }, false},
	}
	for _, tt := range tests {
		o := Options{Instance: "IRIS", Command: []string{"x"}}
		tt.change(&o)
		if _, err := New(o); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// The usual command is found on the PATH.
func TestUsualCommand(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	program := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command := func() string {
		in, err := New(Options{Instance: "INST"})
		if err != nil {
			return err.Error()
		}
		return strings.Join(in.CommandLine(), " ") + "; " + in.ControlProgram()
	}
	if got := command(); got != ErrNoCommand.Error() {
		t.Errorf("nothing: %s", got)
	}
	program("csession")
	if got := command(); got != "csession INST -U %SYS; " {
		t.Errorf("csession: %s", got)
	}
	program("ccontrol")
	if got := command(); got != "csession INST -U %SYS; ccontrol" {
		t.Errorf("ccontrol: %s", got)
	}
	program("iris")
	if got := command(); got != "iris session INST -U %SYS; iris" {
		t.Errorf("iris: %s", got)
	}
}

// Another instance is reached the same way: only its name is another, and the user
// if one is given.
func TestInstance_Other(t *testing.T) {
	in, err := New(Options{Instance: "IRIS", User: "u", Password: []byte("p"), Command: []string{"docker", "exec", "c", "iris", "session", "IRIS"}, LongTimeout: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ user, password, wantUser, wantPassword string }{
		{"emergency", "e", "emergency", "e"},
		{"", "", "u", "p"},
	} {
		o, err := in.Other("TARGET", tt.user, []byte(tt.password))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(o.CommandLine(), " "); got != "docker exec c iris session TARGET" || o.Name() != "TARGET" || o.Options.LongTimeout != -1 {
			t.Errorf("%s: %s, %+v", o.Name(), got, o.Options)
		}
		if o.Options.User != tt.wantUser || string(o.Options.Password) != tt.wantPassword {
			t.Errorf("user %q: signs on as %s, %s", tt.user, o.Options.User, o.Options.Password)
		}
	}
	if got := strings.Join(in.CommandLine(), " "); in.Name() != "IRIS" || got != "docker exec c iris session IRIS" {
		t.Errorf("the first became %s, %s", in.Name(), got)
	}
}
