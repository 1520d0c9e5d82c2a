package cos

import (
	"slices"
	"strings"
)

// An Array is a variable or a global: a value at the root, and a tree of values
// below it that subscripts lead to. A node has a value, descendants, or both. The
// zero Array is empty and ready for use. It is not safe for use by two goroutines
// at once.
type Array struct {
	// ReadOnly makes SET and KILL of the language <PROTECT>. It does not hold for the
	// methods here.
	ReadOnly bool

	root  node
	meter *int // counts the bytes of a session's variables, may be nil
}

type node struct {
	value Value
	set   bool
	kids  map[string]*node
	keys  []string // of kids, in order
}

// nodeSize is what a node takes beside its key and value, about.
const nodeSize = 128

func (a *Array) count(n int) {
	if a.meter != nil {
		*a.meter += n
	}
}

// find returns the node at the subscripts, nil if there is none.
func (a *Array) find(subs []Value) *node {
	n := &a.root
	for _, s := range subs {
		if n = n.kids[s.String()]; n == nil {
			return nil
		}
	}
	return n
}

// Get returns the value at the subscripts and whether there is one.
func (a *Array) Get(subs ...Value) (Value, bool) {
	n := a.find(subs)
	if n == nil {
		return Value{}, false
	}
	return n.value, n.set
}

// Set sets the value at the subscripts.
func (a *Array) Set(v Value, subs ...Value) {
	n := &a.root
	for _, s := range subs {
		key := s.String()
		kid := n.kids[key]
		if kid == nil {
			kid = &node{}
			n.insert(key, kid)
			a.count(nodeSize + 2*len(key))
		}
		n = kid
	}
	if n.set {
		a.count(-n.value.size())
	}
	n.value, n.set = v, true
	a.count(v.size())
}

func (n *node) insert(key string, kid *node) {
	if n.kids == nil {
		n.kids = make(map[string]*node)
	}
	n.kids[key] = kid
	i := len(n.keys) // where keys mostly go
	if i > 0 && collate(n.keys[i-1], key) > 0 {
		i, _ = slices.BinarySearchFunc(n.keys, key, collate)
	}
	n.keys = slices.Insert(n.keys, i, key)
}

// Kill removes the node and all below it.
func (a *Array) Kill(subs ...Value) {
	if len(subs) == 0 {
		a.count(-a.root.size())
		a.root = node{}
		return
	}
	last := len(subs) - 1
	path := []*node{&a.root} // to the parent
	for _, s := range subs[:last] {
		kid := path[len(path)-1].kids[s.String()]
		if kid == nil {
			return
		}
		path = append(path, kid)
	}
	for i := last; i >= 0; i-- { // a node with neither value nor descendants is none
		parent, key := path[i], subs[i].String()
		kid := parent.kids[key]
		if kid == nil || i < last && (kid.set || len(kid.kids) > 0) {
			return
		}
		a.count(-kid.size() - nodeSize - 2*len(key))
		parent.remove(key)
	}
}

func (n *node) remove(key string) {
	delete(n.kids, key)
	if i, ok := slices.BinarySearchFunc(n.keys, key, collate); ok {
		n.keys = slices.Delete(n.keys, i, i+1)
	}
}

// size is what was counted for the node's value and all below it.
func (n *node) size() int {
	sum := 0
	if n.set {
		sum = n.value.size()
	}
	for key, kid := range n.kids {
		sum += nodeSize + 2*len(key) + kid.size()
	}
	return sum
}

// Data is what $data returns: 0 nothing, 1 a value, 10 descendants, 11 both.
func (a *Array) Data(subs ...Value) int {
	n := a.find(subs)
	if n == nil {
		return 0
	}
	data := 0
	if n.set {
		data = 1
	}
	if len(n.kids) > 0 {
		data += 10
	}
	return data
}

// Order returns the last subscript's next sibling, or the one before it if
// backwards; "" if there is none. The last subscript "" stands before the first and
// behind the last. Numbers come before strings.
func (a *Array) Order(backwards bool, subs ...Value) string {
	if len(subs) == 0 {
		return ""
	}
	n := a.find(subs[:len(subs)-1])
	if n == nil || len(n.keys) == 0 {
		return ""
	}
	key := subs[len(subs)-1].String()
	i, found := slices.BinarySearchFunc(n.keys, key, collate)
	switch {
	case backwards && key == "":
		i = len(n.keys) - 1
	case backwards:
		i--
	case found:
		i++
	}
	if i < 0 || i >= len(n.keys) {
		return ""
	}
	return n.keys[i]
}

// collate is the order of subscripts: the empty string, canonical numbers by
// value, other strings by their characters.
func collate(a, b string) int {
	na, nb := isCanonical(a), isCanonical(b)
	switch {
	case a == b:
		return 0
	case a == "" || b != "" && na && !nb:
		return -1
	case b == "" || nb && !na:
		return 1
	case na:
		x, _ := parseNumber(a) // canonical, so there is no error
		y, _ := parseNumber(b)
		return x.compare(y)
	}
	return strings.Compare(a, b)
}
