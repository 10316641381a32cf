package rowfilter_test

import "testing"

// Worlds that showed a fault, by what was missing. A change of the model changes what
// happens in them; the faults are also cases of their own, see traps_test.go.
func TestWorldsThatShowedAFault(t *testing.T) {
	for _, tt := range []struct {
		missing, kind string
		seed          uint64
	}{
		{"a part of the log takes the marks of pending resyncs away", "container", 4},
		{"a part of the log that is filtered by other grants makes them pending", "key", 46},
		{"a late message asks, though its row is permitted today", "container", 0},
		{"and though it came by an older message", "two filters", 6},
		{"what a pending resync took away comes anew", "container", 62},
		{"and is not sent from the log", "two filters, on demand", 26},
		{"what was interrupted is not sent from the log", "container, on demand", 13},
		{"behind a resync, what it brought is present", "two filters", 2},
		{"a delete by key names its transactions", "container, on demand", 56},
		{"what was lost and given back during a snapshot is left out", "key", 39},
		{"an answer that left something out is cut", "container", 2},
	} {
		t.Run(tt.missing, func(t *testing.T) {
			for _, k := range kinds {
				if k.name == tt.kind {
					runModel(t, k, tt.seed, false)
					return
				}
			}
			t.Fatalf("no worlds of %s", tt.kind)
		})
	}
}
