package practice

import "fmt"

// qlistVersion is the third field of "iris qlist". The behaviour is that of
// documents and logs of 2024.1; build 0 never existed.
const qlistVersion = "2024.1.0.0.0"

// zversion returns $ZVERSION. The shape is that of public logs, "IRIS for UNIX
// (…) 2024.1 (Build …) date"; the platform says what it is.
func (s *settings) zversion() string {
	return fmt.Sprintf("IRIS for UNIX (Practice Instance for x86-64) 2024.1 (Build 0U) %s", s.Created.Format("Mon Jan _2 2006 15:04:05 MST"))
}
