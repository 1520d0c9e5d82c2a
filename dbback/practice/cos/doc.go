// Package cos runs lines of ObjectScript, a small and documented part of it, as
// the terminal of an InterSystems instance does with what is typed or piped.
package cos
