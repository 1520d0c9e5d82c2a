package cos

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestBounds is that lines without an end have one.
func TestBounds(t *testing.T) {
	for _, c := range []struct{ line, name string }{
		{`for { }`, nameLimit},
		{`while 1 { }`, nameLimit},
		{`do { } while 1`, nameLimit},
		{`for i=1:0:2 { }`, nameLimit},
		{`for  set x=1`, nameLimit},
		{`for { try { for { } } catch e { } }`, nameLimit}, // CATCH does not catch it
		{`try { for { } } catch e { }`, nameLimit},
		{`for { try { write zz } catch e { } }`, nameLimit},
		{`set x=1 for { set x=x_x }`, "<MAXSTRING>"},
		{`set x="ab" for { set x=$replace(x,"a","aa") }`, "<MAXSTRING>"},
		{`set $piece(x,",",3000000)=1 for i=1:1 { set a(i)=x_i }`, "<STORE>"},
		{`for i=1:1 { set a(i)=1 }`, "<STORE>"},
		{`for i=1:1 { set ^||a(i)=1 }`, "<STORE>"},
		{`set $extract(x,9999999)=1`, "<MAXSTRING>"},
		{`set $piece(x,",",9999999)=1`, "<MAXSTRING>"},
		{`set $list(x,9999999)=1`, "<MAXSTRING>"},
		{`set $list(x,3000000)=1`, nameLimit},
		{`write $justify("",9999999)_"x"`, "<MAXSTRING>"},
		{`set x=1 for { set x=x*10 }`, "<MAXNUMBER>"},
		{`for { new x }`, "<MAXSCOPE>"},
		{`set x=$justify("a",3000000) for { set y=x?.E1"b" }`, nameLimit},
		{`set x=$justify("a",3000000) for { set y=$length(x) }`, nameLimit},
		{`write ` + strings.Repeat("(", 1000) + "1" + strings.Repeat(")", 1000), "<UNIMPLEMENTED>"},
		{strings.Repeat("if 1 { ", 1000) + strings.Repeat("}", 1000), "<UNIMPLEMENTED>"},
		{strings.Repeat("for  ", 1000), "<UNIMPLEMENTED>"},
		{`write ` + strings.Repeat("$length(", 1000) + "1" + strings.Repeat(")", 1000), "<UNIMPLEMENTED>"},
		{`set a(1` + strings.Repeat(",1", 300) + `)=1`, "<SUBSCRIPT>"},
	} {
		tt := newTerminal(t)
		tt.opts.Limits = Limits{Steps: 200_000, Storage: 8 << 20}
		_, err := tt.run(t, c.line)
		if e, ok := errors.AsType[*Error](err); !ok || e.Name != c.name {
			t.Errorf("%.60s: error %v, want %s", c.line, err, c.name)
		}
		if out, err := tt.run(t, `write "on"`); err != nil || out != "on" {
			t.Errorf("%.60s: afterwards %q, error %v", c.line, out, err)
		}
	}
}

// Long lines that are no deeper than others are run.
func TestLongLine(t *testing.T) {
	tt := newTerminal(t)
	out, err := tt.run(t, "write 0"+strings.Repeat("+1", 10_000), "write "+strings.Repeat("-", 10_000)+"1",
		"set "+strings.Repeat("a=1,", 10_000)+"a=2 write a", "write "+strings.Repeat("1,", 1000)+"1")
	if want := "10000" + "1" + "2" + strings.Repeat("1", 1001); err != nil || out != want {
		t.Errorf("%.100q, error %v", out, err)
	}
}

// Storage is given back by KILL, by a smaller value and by QUIT after NEW.
func TestStorage(t *testing.T) {
	tt := newTerminal(t)
	first := tt.storage
	for _, line := range []string{
		`set x=$justify("",1000000) set x="" kill x`, `for i=1:1:100 { set a(i,i)=i } kill a(5) for i=1:1:50 { kill a(i,i) } kill`,
		`new (b) set c(1)=2,b(1,2)=3 quit`, `kill`, `set ^||p(1,2)=$justify("",1000) kill ^||p(1)`,
	} {
		if _, err := tt.run(t, line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if _, err := tt.run(t, `quit`, `kill`, `kill ^||p`); err != nil {
		t.Fatal(err)
	}
	if got := tt.storage - nodeSize; got != first { // the name ^||p stays
		t.Errorf("%d bytes of storage after all was killed, %d before", got, first)
	}
}

var errTold = errors.New("told to")

// TestContext is that the end of the context ends a line, whatever it does and
// whatever it would catch.
func TestContext(t *testing.T) {
	for _, line := range []string{
		`for { }`, `hang 1E9`, `for { try { hang 1000 } catch e { } }`, `read x`, `try { read x:1000 } catch e { } for { }`, `do WAIT^R`,
	} {
		tt := newTerminal(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errTold)
		tt.opts.Read = func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", context.Cause(ctx)
		}
		tt.host.answers["WAIT^R"] = func(*Call) (Value, error) { return Value{}, ctx.Err() }
		if err := tt.Execute(ctx, line); !errors.Is(err, errTold) {
			t.Errorf("%s: error %v, want the cause", line, err)
		}
		if tt.out.Len() > 0 {
			t.Errorf("%s: %q was written", line, tt.out)
		}
	}
}

func TestHang(t *testing.T) {
	tt := newTerminal(t)
	begin := time.Now()
	out, err := tt.run(t, `write "a" hang .05 write "b" hang -1,"x" h 0`)
	if took := time.Since(begin); err != nil || out != "ab" || took < 50*time.Millisecond {
		t.Errorf("%q, error %v, took %v", out, err, took)
	}
}

func TestReadTimeout(t *testing.T) {
	tt := newTerminal(t)
	tt.opts.Read = func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", context.Cause(ctx)
	}
	if out, err := tt.run(t, `set x=1 read "? ",x:0 write "[",x,"]",$test`); err != nil || out != "? []0" {
		t.Errorf("%q, error %v", out, err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errTold }

// TestBrokenOutput is that a session whose output has gone ends, though CATCH would
// go on.
func TestBrokenOutput(t *testing.T) {
	for _, line := range []string{`write 1`, `for { try { do PRINT^R } catch e { } }`, `for { write "more" }`, `write zz`} {
		s := NewSession(Options{Host: newFakeHost(), Out: brokenWriter{}})
		if err := s.Execute(t.Context(), line); !errors.Is(err, errTold) {
			t.Errorf("%s: error %v", line, err)
		}
	}
}
