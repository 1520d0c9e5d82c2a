// Package iris takes the concurrent external backup of an InterSystems IRIS or
// Caché instance: it is the [dbback.Engine] for them.
package iris
