package proxy_test

import (
	"strings"
	"testing"
)

// Readers that see every row are given the present, as others are: Electric's stored log
// holds drafts and deleted rows.
func TestAReaderThatSeesEveryRowIsNotGivenThePast(t *testing.T) {
	for shape, person := range map[string]string{"board": "alice", "office": "carol"} {
		t.Run(shape, func(t *testing.T) {
			d := deploy(t)
			path := "/v1/shapes/" + shape + "?"
			d.as(person).get(path + "offset=-1").is(200) // so that the log is there
			d.exec("UPDATE documents SET title = 'a draft' WHERE id = $1", full("d3"))
			d.exec("UPDATE documents SET title = 'clean' WHERE id = $1", full("d3"))
			d.exec("INSERT INTO documents (id, title) VALUES ($1, 'a deleted draft')", full("d8"))
			d.exec("DELETE FROM documents WHERE id = $1", full("d8"))
			first := d.as(person).get(path+"offset=-1").holds("d1", "d2", "d3", "d4")
			if strings.Contains(string(first.body), "draft") || strings.Contains(string(first.body), full("d8")) {
				t.Errorf("sent %s", first.body)
			}
			d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d1"))
			d.as(person).get(path+first.onward()).says("update d1 title=new", "up-to-date")
			// Nor with an earlier offset.
			if a := d.as(person).get(path + "handle=" + first.handle() + "&offset=0_0"); strings.Contains(string(a.body), "draft") {
				t.Errorf("sent %s", a.body)
			}
		})
	}
}

// What an unrestricted reader is granted by the filters changes nothing for it.
func TestGrantsOfAFilterDoNotConcernAnUnrestrictedReader(t *testing.T) {
	eachKindOfWaiting(t, "office", func(d *deployment) reader { return d.as("carol") }, func(l *heldLog) {
		l.d.grant(sees("carol", "d1"), sees("carol", "d2"))
		l.d.revoke(sees("carol", "d1"))
		l.d.exec("UPDATE documents SET title = 'new' WHERE id = $1", full("d4"))
		l.says("update d4 title=new", "up-to-date")
		if logged := l.d.logged.String(); strings.Contains(logged, "panic") {
			t.Errorf("logged %s", logged)
		}
	})
}
