package spicedb

import (
	"testing"
)

func TestParseLines(t *testing.T) {
	lines, err := ParseLines("mine", "// both\n# are comments\n\n  plan:1#owner@user:dave\r\nplan:2#owner@user:erin")
	if err != nil || len(lines) != 2 || lines[0].Number != 4 || lines[1].Number != 5 || lines[1].String() != "plan:2#owner@user:erin" {
		t.Errorf("got %v, %v", lines, err)
	}
	_, err = ParseLines("mine", "plan:1#owner@user:dave # no comment\nplan:1\n")
	const want = `mine:1: "plan:1#owner@user:dave # no comment" is no relationship, as in document:1#viewer@user:alice: subject: object id of user is empty, too long, or has characters that SpiceDB does not allow` +
		"\n" + `mine:2: "plan:1" is no relationship, as in document:1#viewer@user:alice: no # between the resource and the relation`
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}
