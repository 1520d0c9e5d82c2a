package cos

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// FuzzExecute: whatever the line is, it ends within its bounds with one of the
// results that Execute has, says what it was, does the same again in another
// session, and leaves a session that works.
func FuzzExecute(f *testing.F) {
	for _, line := range []string{
		`write 1+2*3,!`, `set x=1,y(x,"a")=x_"b" zwrite`, `for i=1:1:3 { if i#2 { write i } else { continue } }`,
		`try { do ERR^R } catch e { write e.Name,e.Data throw e }`, `set rs=##class(Obj).Rows() while rs.Next() { write rs.Get("x"),?20 }`,
		`set $piece(x,"^",3)="c",$e(x,2)="-",$list(l,2)=1 write $p(x,"^",*-1),$lts(l)`, `write $select(x=1:"a",1:$case(y,1:2,:3))`,
		`new x,$namespace set $namespace="USER" quit 1`, `read "?",x:1`, `kill (a,b) kill ^T.Out(1)`, `w "a"?1.A1"-".3N`,
		`do { set i=$i(i) } while i<5`, `set o=##class(Obj).%New("n") w o.Self().Sum(1,.x),o.Name zw o`, `i 1 w 1 e  w 2 // x`, `/* c */ w /*d*/ 1 ; e`,
		`w $zstrip($zdt($h,3),"<>WP",,"-")`, `quit:x  do:1 F^R:0,PRINT^R`, "write \"\xff\",$l(\"\xff\xfe\")", `w -'"a"&&(1||x)`, `halt`, `hang 0`, `}`, `{`, `$$`, `^`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if len(line) > 4096 {
			return
		}
		var outs [2]string
		var results [2]string
		for i := range outs {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			tt := newTerminal(t, "input")
			tt.opts.Limits = Limits{Steps: 5000, Storage: 1 << 20}
			err := tt.Execute(ctx, line)
			ended := ctx.Err() != nil
			cancel()
			if ended { // HANG, or a slow machine
				return
			}
			results[i] = checkResult(t, tt, line, err)
			outs[i] = tt.out.String()
		}
		if outs[0] != outs[1] || results[0] != results[1] {
			t.Errorf("%q: %q and %s, then %q and %s", line, outs[0], results[0], outs[1], results[1])
		}
	})
}

func checkResult(t *testing.T, tt *terminal, line string, err error) string {
	t.Helper()
	if err == nil {
		err = errors.New("none")
	} else if _, ok := errors.AsType[*HaltError](err); ok {
		return err.Error()
	} else if e, ok := errors.AsType[*Error](err); !ok {
		t.Errorf("%q: the result is %v", line, err)
	} else if !strings.HasPrefix(e.Name, "<") || !strings.HasSuffix(tt.out.String(), e.Error()) {
		t.Errorf("%q: %v, but %q was written", line, e, tt.out)
	}
	if !strings.HasSuffix(tt.Prompt(), ">") || tt.storage < 0 {
		t.Errorf("%q: prompt %q, storage %d", line, tt.Prompt(), tt.storage)
	}
	printed := tt.out.String()
	if out, err := tt.run(t, `write "on"`); err != nil || out != "on" {
		t.Errorf("%q: afterwards %q, error %v", line, out, err)
	}
	tt.out.Reset()
	tt.out.WriteString(printed)
	return err.Error()
}
