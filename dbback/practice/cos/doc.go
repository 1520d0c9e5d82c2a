// Package cos runs lines of ObjectScript as the terminal of an InterSystems
// instance does with what is typed or piped: a part of the language, large enough
// for the statements of a backup and a restore and for what else is typed around
// them. What the world behind the language does (routines, classes, globals) is
// for a [Host] to say.
//
// A line is parsed whole before any of it runs. What the language has and this
// package has not is <UNIMPLEMENTED> with a text that says so, never something
// else. Nothing runs for ever: see [Limits], and Execute's context.
//
// # Supported
//
// Commands, in full or short, in upper or lower case, with post-conditionals
// where the language has them:
//
//	set do write zwrite read kill new
//	if elseif else for while do { } while continue quit return
//	try catch throw hang halt zn
//
// set assigns to variables, globals, properties, $piece, $extract, $list,
// $namespace, $zerror, $x, $y, and to several in parentheses. if, else and for also rule
// the rest of the line in the older form. A block is all on one line. Comments
// are //, ;, #; and /* */.
//
// Expressions go strictly from left to right:
//
//   - \ # / * ** _ = ' < > <= >= [ ] ]] & && ! || ? and their negations
//
// with numbers of 18 digits, variables and arrays, globals and ^||globals,
// $$label^routine(…), ##class(Name).Method(…), $SYSTEM.Name.Method(…), properties and
// methods of objects, and variables by reference (.x). A pattern (?) has no
// alternatives.
//
// Functions: $ascii $case $char $classname $data $extract $find $fnumber $get
// $increment $isobject $justify $length $list $listbuild $listfind
// $listfromstring $listget $listlength $listtostring $listvalid $order $piece $replace
// $reverse $select $translate $zabs $zconvert $zdate $zdatetime $zstrip $ztime,
// each with the arguments that its code knows.
//
// Special variables: $horolog $namespace $storage $test $x $y $zerror $zhorolog
// $znspace $ztimestamp, and those that the Host knows.
//
// Not there, among others: indirection, xecute, goto, job, lock, merge,
// transactions, devices, extended and naked references, macros (direct mode has
// none), JSON, dates and numbers in rare formats.
//
// # Sources
//
// The language is as the ObjectScript Reference and Using ObjectScript describe it; the
// forms of errors, the prompt after one and QUIT at the prompt are in the Reference at
// $ZERROR. Not documented, and chosen here: how the line and the caret stand
// above an error, the numbers of system exceptions (their Code is empty), the
// data of <NAMESPACE> and <NOLINE>, and how ZWRITE lays out an object.
//
// # Files
//
//	host.go       what the world is asked: Host, Object, Call
//	session.go    Session: a line is executed; output and input
//	terminal.go   the prompt, the program stack, how errors are printed
//	errors.go     Error, HaltError, and the errors that a Host returns
//	exception.go  what CATCH gets and THROW throws
//
//	value.go      Value: strings, numbers, references
//	number.go     decimal arithmetic
//	list.go       $LIST strings
//	array.go      Array: variables and globals with subscripts
//
//	scan.go       the parser's hold on the line: spaces, names, literals
//	parse.go      statements and commands
//	parseargs.go  the arguments of SET, DO, KILL, NEW, WRITE, READ
//	parseflow.go  IF, FOR, WHILE, TRY and their blocks
//	parseexpr.go  expressions, calls, references
//	parsefunc.go  functions and special variables
//
//	machine.go    what runs a line: steps, the context, errors of the world
//	stmt.go       simple commands
//	flow.go       commands with blocks
//	output.go     WRITE and ZWRITE
//	expr.go       operators
//	variable.go   reading, setting and killing of variables and globals
//	call.go       routines, methods, properties
//	part.go       SET of $piece, $extract and $list
//	special.go    special variables
//	pattern.go    the operator ?
//	function.go   the table of functions
//	fnstring.go   those on strings
//	fnlist.go     those on lists
//	fntree.go     those on arrays and objects
//	fntime.go     those on numbers, dates and times
package cos
