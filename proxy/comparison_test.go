package proxy

import (
	"runtime"
	"testing"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/rowfilter"
)

// A comparison is shared by those who compare the same, and by nobody else. When nobody uses
// it, it does not keep the grants that it has.
func TestAComparisonIsSharedWhileItIsUsed(t *testing.T) {
	rule := &rowfilter.Rule{Filters: []string{"id"}}
	same := comparisonKey{rule, authz.Fingerprint{1}, authz.Fingerprint{2}}
	var c compared
	if c.find(same) != nil {
		t.Error("there is one before there is one")
	}
	made := &comparison{plan: &plan{}}
	c.add(same, made)
	runtime.GC()
	if c.find(same) != made {
		t.Error("it is not shared")
	}
	for name, other := range map[string]comparisonKey{
		"a table that was learned anew": {&rowfilter.Rule{Filters: []string{"id"}}, same.served, same.now},
		"from others":                   {rule, authz.Fingerprint{3}, same.now},
		"to others":                     {rule, same.served, authz.Fingerprint{3}},
		"the other way":                 {rule, same.now, same.served},
	} {
		if c.find(other) != nil {
			t.Errorf("%s: it is shared", name)
		}
	}
	runtime.KeepAlive(made)
	runtime.GC()
	if c.find(same) != nil {
		t.Error("it is kept when nobody uses it")
	}
}
