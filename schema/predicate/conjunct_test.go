package predicate_test

import (
	"testing"

	"github.com/shapegate/shapegate/schema/predicate"
)

func TestCheckConjunct(t *testing.T) {
	for sql, whole := range map[string]bool{
		"a":                     true,
		"a AND b":               true,
		"(a OR b) AND true":     true,
		"NOT a":                 true,
		"a BETWEEN b AND c":     true,
		"a OR b":                false,
		"(a OR b)":              false, // the tree has no parentheses
		"a AND b OR c":          false,
		"(a OR b) IS NULL":      false, // the printer forgets the parentheses
		"c BETWEEN d AND a = b": true,  // reads as (c BETWEEN d AND a) = b
	} {
		if err := predicate.CheckConjunct(sql); (err == nil) != whole {
			t.Errorf("predicate.CheckConjunct(%s) = %v, want whole: %v", sql, err, whole)
		}
	}
}
