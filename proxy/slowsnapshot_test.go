package proxy_test

import (
	"strings"
	"testing"
)

// A snapshot at Electric may take a minute. Grants from before it are no grants: what was
// revoked while it was taken is not sent.
func TestWhatIsRevokedWhileElectricTakesASnapshotIsNotSent(t *testing.T) {
	for _, shape := range []string{"documents", "vault"} {
		for _, live := range []string{"", "live=true&", sse} {
			t.Run(shape+" "+live, func(t *testing.T) {
				d := deploy(t)
				alice, path := d.as("alice"), "/v1/shapes/"+shape+"?"
				first := alice.get(path + "offset=-1")
				d.exec("UPDATE documents SET title = 'hers, at first' WHERE id = $1", full("d1"))
				d.grant(sees("alice", "d3"))
				d.upstream.failing(func(a asked) error {
					if a.isSubset() {
						d.upstream.back()
						d.revoke(sees("alice", "d3"), sees("alice", "d1"))
						d.execUnread("UPDATE documents SET title = 'not for alice' WHERE id = $1", full("d3"))
					}
					return nil
				})
				var text string
				if live == sse {
					list := alice.stream(path + sse + first.onward()).batch()
					text = strings.Join(inShort(list), " ")
				} else {
					text = strings.Join(inShort(alice.get(path+live+first.onward()).messages()), " ")
				}
				if strings.Contains(text, "insert d3") || strings.Contains(text, "update d1") {
					t.Errorf("sent %s", text)
				}
			})
		}
	}
}
