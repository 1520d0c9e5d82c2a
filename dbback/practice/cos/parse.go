package cos

import "strings"

// A commandName is a command and its abbreviations.
type commandName struct {
	name     string
	short    string
	optional bool // its arguments: two spaces say that there are none
}

// commands are those that run here.
var commands = []commandName{
	{name: "CONTINUE", optional: true},
	{name: "DO", short: "D", optional: true},
	{name: "ELSE", short: "E", optional: true},
	{name: "FOR", short: "F", optional: true},
	{name: "HALT", short: "H", optional: true},
	{name: "HANG", short: "H"},
	{name: "IF", short: "I", optional: true},
	{name: "KILL", short: "K", optional: true},
	{name: "NEW", short: "N", optional: true},
	{name: "QUIT", short: "Q", optional: true},
	{name: "READ", short: "R"},
	{name: "RETURN", short: "RET", optional: true},
	{name: "SET", short: "S"},
	{name: "THROW", optional: true},
	{name: "TRY", optional: true},
	{name: "WHILE"},
	{name: "WRITE", short: "W", optional: true},
	{name: "ZNSPACE", short: "ZN"},
	{name: "ZWRITE", short: "ZW", optional: true},
}

// unsupportedCommands are commands of the language that do not run here, with
// their abbreviations; what is in neither list is no command.
const unsupportedCommands = " B BREAK C CLOSE G GOTO J JOB L LOCK M MERGE O OPEN TC TCOMMIT TRO TROLLBACK TS TSTART" +
	" U USE V VIEW X XECUTE ZB ZBREAK ZI ZINSERT ZK ZKILL ZL ZLOAD ZP ZPRINT ZR ZREMOVE ZS ZSAVE ZT ZTRAP ZQUIT ZZDUMP PRINT P "

// commandOf finds a command; HALT and HANG share the abbreviation H and are told
// apart by whether there is an argument.
func commandOf(word string, args bool) *commandName {
	word = strings.ToUpper(word)
	for i := range commands {
		c := &commands[i]
		if word == c.name || word == c.short && (word != "H" || args == (c.name == "HANG")) {
			return c
		}
	}
	return nil
}

// parseLine parses a line of the terminal. The position of an error is in bytes.
func parseLine(src string) (block, *Error, int) {
	p := &parser{src: src}
	b := p.statements()
	if !p.atEnd() && p.peek() == '}' {
		p.syntax()
	}
	return b, p.err, p.errAt
}

// statements reads statements up to the end of the line or a closing brace.
func (p *parser) statements() block {
	p.enter()
	defer func() { p.depth-- }()
	var b block
	for {
		p.spaces()
		if p.seesComment() {
			p.pos = len(p.src)
		}
		if p.seesEnd() {
			return b
		}
		b = append(b, p.statement())
	}
}

// braces reads { statements }.
func (p *parser) braces() block {
	p.spaces()
	p.expect("{")
	b := p.statements()
	p.expect("}") // not there: a block of several lines, which the terminal refuses
	return b
}

// statement reads a command with its post-conditional and arguments.
func (p *parser) statement() (c command) {
	c.pos = p.pos
	word := p.command()
	if strings.Contains(unsupportedCommands, " "+strings.ToUpper(word)+" ") {
		p.pos = c.pos
		p.unsupported("command " + strings.ToUpper(word))
		return c
	}
	def := commandOf(word, false)
	if word == "" || def == nil && commandOf(word, true) == nil {
		p.pos = c.pos
		p.syntax()
		return c
	}
	if p.accept(":") {
		c.cond = p.postConditional()
	}
	args := p.seesArguments(def == nil || def.optional)
	if def = commandOf(word, args); def == nil {
		p.syntax()
		return c
	}
	c.run = p.run(def, args, c.cond != nil)
	return c
}

// postConditional reads a condition that ends at a space.
func (p *parser) postConditional() expr {
	tight := p.tight
	p.tight = 1
	x := p.expr()
	p.tight = tight
	return x
}

// seesArguments skips the space after a command and reports whether arguments
// follow.
func (p *parser) seesArguments(optional bool) bool {
	n := p.spaces()
	switch {
	case p.seesEnd() || p.peek() == '{':
		return false
	case n == 0 && p.peek() != '(':
		p.syntax()
	}
	return n <= 1 || !optional
}

// run reads the arguments of a command.
func (p *parser) run(def *commandName, args, conditional bool) action {
	switch def.name {
	case "IF", "ELSE", "FOR", "WHILE", "TRY":
		if conditional {
			p.syntax() // these have none
		}
		return p.control(def.name, args)
	}
	if !def.optional && !args {
		p.syntax()
		return nil
	}
	a := p.simple(def.name, args)
	if p.err == nil && !p.seesEnd() && p.spaces() == 0 {
		if prev := p.src[p.pos-1]; prev != ' ' && prev != '}' {
			p.syntax() // no space before the next command
		}
	}
	return a
}

// simple reads the arguments of a command without a block.
func (p *parser) simple(name string, args bool) action {
	switch name {
	case "CONTINUE", "HALT":
		if args {
			p.syntax()
		}
		if name == "HALT" {
			return halt{}
		}
		return leave{how: flowContinue}
	case "QUIT", "RETURN":
		l := leave{how: flowQuit}
		if name == "RETURN" {
			l.how = flowReturn
		}
		if args {
			l.value = p.expr()
		}
		return l
	case "THROW":
		if !args {
			p.unsupported("THROW without an exception")
		}
		return throw{p.expr()}
	case "HANG":
		return hang{p.exprs()}
	case "ZNSPACE":
		return namespace{p.expr()}
	case "SET":
		return p.set()
	case "DO":
		return p.do(args)
	case "KILL":
		return p.kill(args)
	case "NEW":
		return p.new(args)
	case "READ":
		return p.read()
	case "WRITE":
		return p.write(args)
	}
	return p.zwrite(args) // ZWRITE
}

// commas reads parts with commas between them.
func (p *parser) commas(part func()) {
	for p.err == nil {
		part()
		start := p.pos
		p.spaces()
		if p.tight > 0 || !p.accept(",") {
			p.pos = start
			return
		}
		p.spaces()
	}
}

func (p *parser) exprs() []expr {
	var xs []expr
	p.commas(func() { xs = append(xs, p.expr()) })
	return xs
}
