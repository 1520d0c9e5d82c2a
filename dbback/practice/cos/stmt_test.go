package cos

import (
	"errors"
	"strings"
	"testing"
)

// TestStatements is what lines write, one after the other in one session, without
// an error.
func TestStatements(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		// SET and variables
		{"set", []string{`set x=1,y=x+1 write x,y`}, "12"},
		{"set with spaces", []string{`set x = 1, y = 2 write x , y`}, "12"},
		{"several targets", []string{`s (a,b,c(1))=5 w a,b,c(1)`}, "555"},
		{"kept between lines", []string{`set x="kept"`, `write x`}, "kept"},
		{"piece", []string{`s x="a^b^c",$p(x,"^",2)="B" w x`}, "a^B^c"},
		{"piece that is not there", []string{`s $p(x,"^",3)="c" w x`}, "^^c"},
		{"pieces", []string{`s x="a^b^c",$piece(x,"^",1,2)="z" w x`}, "z^c"},
		{"last piece", []string{`s x="a^b^c",$p(x,"^",*)="z" w x`}, "a^b^z"},
		{"extract", []string{`s x="abcdef",$extract(x,2,3)="-" w x`}, "a-def"},
		{"extract behind the end", []string{`s x="ab",$e(x,5)="e" w x`}, "ab  e"},
		{"list", []string{`s $list(x,3)="c" w $listlength(x),$list(x,3),$lg(x,1,"none")`}, "3cnone"},
		{"namespace", []string{`set $namespace="user" write $namespace`}, "USER"},
		{"zn", []string{`zn "USER" w $namespace`, `znspace "%SYS" w $znspace`}, "USER%SYS"},
		{"zerror", []string{`s $zerror="" w "[",$ze,"]"`}, "[]"},
		{"increment", []string{`w $increment(n),$i(n,4),n`}, "155"},
		{"private global", []string{`set ^||p(1)="x" w ^||p(1),$d(^||p)`}, "x10"},
		{"global", []string{`set ^T.Out("a")=1 w ^T.Out("a") kill ^T.Out w $d(^T.Out)`}, "10"},
		// arrays
		{"data", []string{`s a(1)=1,a(1,2)=2,b=3 w $d(a)," ",$d(a(1))," ",$d(a(1,2))," ",$d(b)," ",$d(a(9))`}, "10 11 1 1 0"},
		{"order", []string{`s a(10)=1,a(9)=1,a("x")=1,a(-1)=1,a(1.5)=1,a("01")=1`, `s k="" for { s k=$order(a(k)) q:k=""  w k," " }`}, "-1 1.5 9 10 01 x "},
		{"order backwards", []string{`s a(1)="",a(2)="",a("b")="" s k="" for  s k=$o(a(k),-1) q:k=""  w k`}, "b21"},
		{"order of nothing", []string{`w "[",$order(none("")),"]"`}, "[]"},
		{"order of a global", []string{`s h=$order(^SYS("BUHISTORY",""),-1) w h,^SYS("BUHISTORY",h,"TYPE")`}, "67000000200I"},
		{"kill of a node", []string{`s a(1)=1,a(1,1)=2,a(2)=3 k a(1) w $d(a(1)),$d(a(1,1)),$d(a(2))`}, "001"},
		{"kill of the last node", []string{`s a(1,2,3)=1 k a(1,2,3) w $d(a)`}, "0"},
		{"kill but", []string{`s a=1,b=2,c=3 kill (b) w $d(a),$d(b),$d(c)`}, "010"},
		{"kill all", []string{`s a=1,b(1)=2 kill  w $d(a),$d(b)`}, "00"},
		{"numbers as subscripts", []string{`s a(1)="one" w a("1"),a(1.0),a(01)`}, "oneoneone"},
		// WRITE
		{"format", []string{`w !,"a",?5,"b",!!,"c",?1,"d"`}, "\na    b\n\ncd"},
		{"column of the next line", []string{`w "abc"`, `w ?2,"x"`}, "abc  x"},
		{"format together", []string{`w !?3,"x",*65,#`}, "\n   xA\f"},
		{"column", []string{`w "abc",$x,!,$x,$y`}, "abc3\n01"},
		// post-conditionals
		{"post-conditional", []string{`set x=1 write:x=1 "yes" write:x=2 "no" set:x y=7 w y`}, "yes7"},
		{"post-conditional before a format", []string{`s x=1 w:x !,"a" w:'x !,"b"`}, "\na"},
		{"post-conditional of an argument", []string{`d PRINT^R:0,PRINT^R:1`}, "\nprinted\n"},
		// IF
		{"if", []string{`if 1 { write "a" } else { write "b" }`, `i 0 { w "c" } else { w "d" }`}, "ad"},
		{"elseif", []string{`for x=1:1:3 { if x=1 { w "one" } elseif x=2 { w "two" } else { w "more" } }`}, "onetwomore"},
		{"if with a comma", []string{`if 1,0 { w "no" } w "on"`}, "on"},
		{"if and parentheses", []string{`if (1=1)&&(2=2) { w "a" } if(1){w "b"}`}, "ab"},
		{"older if", []string{`if 1 write "a" write "b"`, `if 0 write "c" write "d"`, `else  write "e"`, `if 1`, `if  write "f"`}, "abef"},
		{"block if leaves $test", []string{`if 0`, `if 1 { w $test }`, `w $t`}, "00"},
		// loops
		{"for", []string{`for i=1:1:3 write i`, `for i=5:-2:1 { write i } w " ",i`}, "123531 1"},
		{"for over values", []string{`for i="a",7,1:1:2,9 { write i }`}, "a7129"},
		{"for that runs not at all", []string{`for i=3:1:1 { w i } w "on"`}, "on"},
		{"for without an end", []string{`for i=1:1 { quit:i>3  write i }`}, "123"},
		{"for without a variable", []string{`set i=0 for { set i=i+1 if i>3 { quit } w i }`}, "123"},
		{"older for", []string{`f i=1:1:5 q:i=4  w i`}, "123"},
		{"for by fractions", []string{`f i=0:.25:1 w i," "`}, "0 .25 .5 .75 1 "},
		{"for and a body that sets", []string{`for i=1:1:9 { write i set i=i+2 }`}, "147"},
		{"continue", []string{`for i=1:1:5 { continue:i#2  write i }`}, "24"},
		{"quit of the inner loop", []string{`for i=1:1:2 { for j=1:1:5 { quit:j>2  w i,j," " } }`}, "11 12 21 22 "},
		{"while", []string{`set i=0 while i<3 { set i=i+1 write i }`}, "123"},
		{"do while", []string{`set i=0 do { set i=i+1 write i } while i<3`}, "123"},
		{"return", []string{`for i=1:1:3 { for j=1:1:3 { w i,j return } } w "not"`}, "11"},
		// TRY
		{"try", []string{`try { write 1 write x write 2 } catch e { write e.Name,"|",e.Location,"|",e.Data }`}, "1<UNDEFINED>||*x"},
		{"try without an error", []string{`try { write 1 } catch e { write 2 } write 3`}, "13"},
		{"catch without a name", []string{`try { w 1/0 } catch { w "caught" }`}, "caught"},
		{"catch in parentheses", []string{`try { w 1/0 } catch(e) { w e.Name }`}, "<DIVIDE>"},
		{"quit leaves try alone", []string{`for i=1:1:2 { try { quit  write "no" } catch { } write i }`}, "12"},
		{"continue in try", []string{`for i=1:1:3 { try { continue:i=2  write i } catch { } write "," }`}, "1,3,"},
		{"error of a routine", []string{`try { do ERR^R } catch e { w e.Name,"|",e.Location,"|",e.Data,"|",e.DisplayString() }`}, "<PROTECT>|zERR+3^R|^SYS|<PROTECT> zERR+3^R ^SYS"},
		{"throw", []string{`try { throw ##class(%Exception.General).%New("Mine",5,"here","data") } catch e { w e.Name,e.Code,e.Location,e.Data }`}, "Mine5heredata"},
		{"exception with properties set", []string{`set ex=##class(%Exception.General).%New(),ex.Name="N" try { throw ex } catch e { w e=ex,e.Name }`}, "1N"},
		{"throw again", []string{`try { try { w 1/0 } catch e { throw e } } catch f { w "outer ",f.Name }`}, "outer <DIVIDE>"},
		{"try in catch", []string{`try { w 1/0 } catch { try { w zz } catch e { w e.Data } }`}, "*zz"},
		{"zerror after catch", []string{`try { w zz } catch { } w $zerror`}, "<UNDEFINED> *zz"},
		// calls
		{"by reference", []string{`set rc=$$REF^R(.p) w rc,p,p("dir")`}, "1outDirectory"},
		{"by reference of a method", []string{`do REF^R(.q) w q("dir")`}, "Directory"},
		{"routine that does not NEW", []string{`set x="mine" do VARS^R w x`}, "overwritten"},
		{"routine that writes", []string{`do PRINT^R write $x,"on"`}, "\nprinted\n0on"},
		{"object", []string{`set o=##class(Obj).%New("n") w o.Name,o.Size,$isobject(o),$classname(o) set o.Name="m" w o.Name`}, "n81921Objm"},
		{"reference as a string", []string{`set o=##class(Obj).%New(),p=##class(Obj).%New() w o," ",p," ",o=p`}, "1@Obj 2@Obj 0"},
		{"object in a node", []string{`set a(1)=##class(Obj).%New("x") w a(1).Name,a(1).Sum(1,2)`}, "x3"},
		{"do of a method in a node", []string{`set a(1)=##class(Obj).%New("x") do a(1).Sum(1,2) w "ok"`}, "ok"},
		{"order of a property", []string{`set o=##class(Obj).%New() s k="" for { s k=$order(o.Sources(k)) q:k=""  w k,"=",$get(o.Sources(k))," " }`}, "one=a two=b "},
		{"get of a property", []string{`set o=##class(Obj).%New("n") w $get(o.Name)`}, "n"},
		{"result set", []string{`set rs=##class(Obj).Rows() while rs.Next() { write rs.Get("Name"),"," }`}, "a,b,c,"},
		{"do and while", []string{`set o=##class(Obj).%New() do o.Sum(1,2) set rs=##class(Obj).Rows() do o.Self() while rs.Next() { w rs.Get("x") }`}, "abc"},
		// comments and space
		{"comments", []string{`// all`, `; all`, `#; all`, `write 1 // rest`, `write 2 ; rest`, `write 3 /* in */ write 4`, `   `}, "1234"},
		{"no space before a comment", []string{`write "a";rest`}, "a"},
		{"upper and lower case", []string{`SET X=1 Write X wRiTe $LENGTH("ab"),$Length("abc")`}, "123"},
		{"braces without spaces", []string{`for i=1:1:2{w i}if 1{w "x"}`}, "12x"},
		{"tab", []string{"set x=1\twrite x"}, "1"},
	} {
		tt := newTerminal(t)
		got, err := tt.run(t, c.lines...)
		if err != nil || got != c.want {
			t.Errorf("%s: %q, error %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestRead(t *testing.T) {
	tt := newTerminal(t, "first", "se cond", "joe")
	got, err := tt.run(t, `read "Device: ",x,!,y write x,"|",y`, `write $$ASK^R()`)
	if want := "Device: \nfirst|se condName? <joe>"; err != nil || got != want {
		t.Errorf("%q, error %v, want %q", got, err, want)
	}
	got, err = tt.run(t, `read "again: ",x:5`)
	if e, ok := errors.AsType[*Error](err); !ok || e.Name != "<ENDOFFILE>" {
		t.Errorf("at the end of the input: error %v, want <ENDOFFILE>", err)
	}
	if want := "again: \nread \"again: \",x:5\n^\n<ENDOFFILE>"; got != want {
		t.Errorf("at the end of the input: %q, want %q", got, want)
	}
}

func TestZwrite(t *testing.T) {
	tt := newTerminal(t)
	got, err := tt.run(t,
		`set s="a""b",n=5,l=$lb(1,"x",,$lb(2)),a(1)=1,a(1,"k")="v",c="a"_$c(10,13)_"b"`, `zwrite`,
		`set o=##class(Obj).%New("n") zw a(1),s,o`, `zw ^SYS("BUHISTORY",67000000100)`, `zw 1+1`)
	want := `a(1)=1
a(1,"k")="v"
c="a"_$c(10,13)_"b"
l=$lb(1,"x",,$lb(2))
n=5
s="a""b"
a(1)=1
a(1,"k")="v"
s="a""b"
o=1@Obj  ; <OREF>
+----------------- general information ---------------
|      oref value: 1
|      class name: Obj
+----------------- attribute values ------------------
|          Name = "n"
|          Size = 8192
+-----------------------------------------------------
^SYS("BUHISTORY",67000000100,"TYPE")="E"
2
`
	if err != nil || got != want {
		t.Errorf("error %v:\n%s\nwant:\n%s", err, got, want)
	}
}

// TestTerminal is what the terminal does about errors. The prompts and what QUIT
// does to them are in the documentation of $ZERROR (The Program Stack).
func TestTerminal(t *testing.T) {
	tt := newTerminal(t)
	for _, c := range []struct{ line, out, prompt string }{
		{`write 1`, "1", "%SYS>"},
		{`write 1,x`, "1\nwrite 1,x\n^\n<UNDEFINED> *x", "%SYS>"},
		{`set y=1 write y,x`, "1\nset y=1 write y,x\n        ^\n<UNDEFINED> *x", "%SYS>"},
		{`gobbledegook`, "\ngobbledegook\n^\n<SYNTAX>", "%SYS>"},
		{`write "never" if 1 {`, "\nwrite \"never\" if 1 {\n                    ^\n<SYNTAX>", "%SYS>"},
		{`do ^NotThere`, "\ndo ^NotThere\n^\n<NOROUTINE> *NotThere", "%SYS>"},
		{`do ERR^R`, "\n<PROTECT>zERR+3^R ^SYS", "%SYS 2d0>"},
		{`write $zerror`, "<PROTECT>zERR+3^R ^SYS", "%SYS 2d0>"},
		{`gobbledegook`, "\ngobbledegook\n^\n<SYNTAX>", "%SYS 2d0>"},
		{`write $$ERR^R(1)`, "\n<PROTECT>zERR+3^R ^SYS", "%SYS 4e1>"},
		{`quit 1`, "", "%SYS 3E0>"},
		{`quit`, "", "%SYS>"},
		{`do ERR^R(1)`, "\n<PROTECT>zERR+3^R ^SYS", "%SYS 2d1>"},
		{`zn "USER"`, "", "USER 2d1>"},
		{`quit  write "not run"`, "", "USER>"},
		{`new y write $data(y) set y=2`, "0", "USER 1S1>"},
		{`new $namespace set $namespace="%SYS"`, "", "%SYS 1S2>"},
		{`quit`, "", "USER>"},
		{`write y`, "1", "USER>"},
		{`set a=1,b=2 new (a) write $data(a),$data(b) set a=3,c=4`, "10", "USER 1S1>"},
		{`quit  `, "", "USER>"},
		{`write a,b,$data(c)`, "320", "USER>"},
		{`new  write $data(a)`, "0", "USER 1S1>"},
		{`q`, "", "USER>"},
		{`write a`, "3", "USER>"},
	} {
		out, _ := tt.run(t, c.line)
		if out != c.out || tt.Prompt() != c.prompt {
			t.Errorf("%s: %q and prompt %q, want %q and %q", c.line, out, tt.Prompt(), c.out, c.prompt)
		}
	}
}

func TestHalt(t *testing.T) {
	for line, want := range map[string]int{
		`halt`: 0, `h`: 0, `if 1 { h }`: 0, `try { halt } catch { w "no" }`: 0, `do $SYSTEM.Process.Terminate($job,7)`: 7,
		`try { do ##class(%SYSTEM.Process).Terminate(,2) } catch { }`: 2, `set x=1 halt:x  write "no"`: 0,
	} {
		tt := newTerminal(t)
		out, err := tt.run(t, line)
		if halt, ok := errors.AsType[*HaltError](err); !ok || halt.Code != want || out != "" {
			t.Errorf("%s: %q, error %v, want the exit code %d", line, out, err, want)
		}
	}
}

func TestArguments(t *testing.T) {
	tt := newTerminal(t)
	_, err := tt.run(t, `do BACKUP^DBACK("","E",,.x,1+1) do ^JRNSWTCH write ##class(%SYS.Journal.System).GetCurrentFileName(), $system.Status.IsOK(1)`)
	if e, ok := errors.AsType[*Error](err); !ok || e.Error() != "<NOROUTINE> *DBACK" {
		t.Errorf("error %v, want <NOROUTINE>", err)
	}
	_, _ = tt.run(t, `do ^JRNSWTCH`, `w ##class(%SYS.Journal.System).GetCurrentFileName()`, `w $system.Status.IsOK(1)`, `do $SYSTEM.Process.Terminate($job)`)
	want := `BACKUP^DBACK("","E",,.,2) ^JRNSWTCH() %SYS.Journal.System.GetCurrentFileName() %SYSTEM.Status.IsOK(1) %SYSTEM.Process.Terminate(4711)`
	if got := strings.Join(tt.host.calls, " "); got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
}
