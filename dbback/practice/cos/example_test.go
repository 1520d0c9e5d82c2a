package cos_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"datfs/dbback/practice/cos"
)

// An instance with one routine, ^DEMO, and one global, ^SYS.
type instance struct{}

func (instance) Routine(_ context.Context, c *cos.Call) (cos.Value, error) {
	switch {
	case c.Of != "DEMO":
		return cos.Value{}, cos.NoRoutine(c.Of)
	case c.Name == "ADD":
		return cos.Int(c.Arg(0).Int() + c.Arg(1).Int()), nil
	case c.Name == "FAIL":
		return cos.Value{}, cos.Protect("zFAIL+2^DEMO", "^SYS")
	}
	return cos.Value{}, cos.NoLine(c.Name, c.Of)
}

func (instance) ClassMethod(_ context.Context, c *cos.Call) (cos.Value, error) {
	if c.Of == "%SYSTEM.Process" && c.Name == "Terminate" {
		return cos.Value{}, &cos.HaltError{Code: int(c.Arg(1).Int())}
	}
	return cos.Value{}, cos.NoClass(c.Of)
}

func (instance) Special(_ context.Context, name string) (cos.Value, bool, error) {
	return cos.Int(4711), name == "$JOB", nil
}

func (instance) Global(_ context.Context, name string) (*cos.Array, error) {
	a := &cos.Array{ReadOnly: true}
	if name == "SYS" {
		a.Set(cos.String("I"), cos.String("BUHISTORY"), cos.Int(1), cos.String("TYPE"))
	}
	return a, nil
}

func (instance) Namespace(_ context.Context, name string) (string, error) { return name, nil }

// A terminal reads lines and goes on after errors; it ends when it is told to.
func ExampleSession() {
	session := cos.NewSession(cos.Options{Host: instance{}, Out: os.Stdout})
	for _, line := range []string{
		`set x=$$ADD^DEMO(2,3) write "x is ",x*2+1`,
		`try { do FAIL^DEMO } catch e { write "@@ERR|",e.Name,"|",e.Location }`,
		`write $order(^SYS("BUHISTORY","")),^SYS("BUHISTORY",1,"TYPE")`,
		`do FAIL^DEMO`,
		`do $SYSTEM.Process.Terminate($job,3)`,
	} {
		fmt.Println(session.Prompt() + " " + line)
		err := session.Execute(context.Background(), line)
		fmt.Println()
		if halt, ok := errors.AsType[*cos.HaltError](err); ok {
			fmt.Println("exit code", halt.Code)
			return
		}
	}
	// Output:
	// %SYS> set x=$$ADD^DEMO(2,3) write "x is ",x*2+1
	// x is 11
	// %SYS> try { do FAIL^DEMO } catch e { write "@@ERR|",e.Name,"|",e.Location }
	// @@ERR|<PROTECT>|zFAIL+2^DEMO
	// %SYS> write $order(^SYS("BUHISTORY","")),^SYS("BUHISTORY",1,"TYPE")
	// 1I
	// %SYS> do FAIL^DEMO
	//
	// <PROTECT>zFAIL+2^DEMO ^SYS
	// %SYS 2d0> do $SYSTEM.Process.Terminate($job,3)
	//
	// exit code 3
}
