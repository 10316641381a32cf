// Package plural spells numbers of things, for both binaries.
package plural

import "strconv"

// Count returns the number with its noun: "1 shape", "2 shapes". The noun's plural ends
// in s.
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
