package model_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	authzedv1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
)

// The seeds are the same each time. SHAPEGATE_MODEL_SEED names another to begin with, or is
// "random"; SHAPEGATE_MODEL_RUNS says how many are run. What ran side by side may run
// otherwise the next time.
func TestClientsEndWithExactlyTheirRowsAndReceiveNothingElse(t *testing.T) {
	runs, err := strconv.Atoi(cmp.Or(os.Getenv("SHAPEGATE_MODEL_RUNS"), "4"))
	if err != nil {
		t.Fatal(err)
	}
	from := cmp.Or(os.Getenv("SHAPEGATE_MODEL_SEED"), "700")
	if from == "random" {
		from = strconv.FormatUint(rand.Uint64()>>1, 10)
	}
	first, err := strconv.ParseUint(from, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for seed := first; seed < first+uint64(runs); seed++ {
		// Every other run has what makes clients begin anew; in the rest nobody may.
		rough := seed%2 == 0
		t.Run(fmt.Sprintf("seed %d, rough %v", seed, rough), func(t *testing.T) { run(t, seed, rough, true) })
	}
}

// Seeds that once found something. What they found depends little on what runs side by
// side.
var found = []struct {
	seed uint64
	late bool
}{
	{6668566106658686888, false}, // a late message took away a row that a snapshot had brought
	{3827647582630273914, false}, // the end of a row was not told again, which a lost stream had told
	{3827647582630273885, false}, // a grant was given back of which the watch had told that it was taken
	{3646247546283386826, true},  // a late message was kept back for a row that a lost stream had brought
	{3646247546283386903, true},  // a row was named that came after a lost stream
	{7436907755121001325, true},  // an object was taken and given back by a group
	{2012704442261556004, true},  // another replica left what a stream had told beyond the handle
	{50009, true},                // a replica that was not asked for a while did not know what was taken away
	{3836241610425296187, true},  // a row was named that had left before a lost stream
	{6837589115388436037, true},  // a replica did not know a set that another had composed between two changes
	{8503200186067409711, true},  // what another person lost directly was taken and given back by a group
	{3517497300414761860, true},  // a row came neither with the log nor with the resync behind a cut stream's
	{3173630053275320521, true},  // the oracle knew a grant later than the client
}

func TestWhatWasFoundOnceIsNotFoundAgain(t *testing.T) {
	for _, f := range found {
		t.Run(strconv.FormatUint(f.seed, 10), func(t *testing.T) { run(t, f.seed, f.seed%2 == 0, f.late) })
	}
}

const steps = 150

// run lets clients read while things happen at random. With late, Electric's logs run
// behind the table now and then.
func run(t *testing.T, seed uint64, rough, late bool) {
	d := deploy(t, rand.New(rand.NewPCG(seed, 1)), 0)
	d.side = rand.New(rand.NewPCG(seed, 3))
	d.o.forgetful = rough
	clients := d.openClients()
	d.meetEverybody(clients)
	d.rest(clients)
	lag := rand.New(rand.NewPCG(seed, 2))
	perRest := []int{10, 25, 50}[seed%3]
	for n := range steps {
		if late {
			d.lag(lag.IntN(20))
			d.overlap(lag.IntN(6))
		}
		c := clients[d.r.IntN(len(clients))]
		before := c.refetches
		d.act(c, rough)
		if c.refetches > before && !rough {
			d.check(fmt.Errorf("%s was told to begin anew, with no need", name(c)))
		}
		if n%perRest == perRest-1 {
			d.rest(clients)
		}
	}
	refetches := 0
	for _, c := range clients {
		refetches += c.refetches
	}
	if refetches > 0 && !rough {
		t.Errorf("clients began anew %d times, with no need", refetches)
	}
	t.Logf("%d steps, %d clients, %d of %d reads told to begin anew", steps, len(clients), refetches, d.reads)
}

// lag has the log of one replica run behind the table from some point on, and catch up at
// another: so at most moments the two logs end at different places.
func (d *deployment) lag(n int) {
	r := d.replicas[n%2]
	switch n / 2 {
	case 0, 1:
		d.say("the log of replica %d falls behind", n%2)
		r.electric.FallBehind()
	case 2:
		d.say("the log of replica %d catches up", n%2)
		r.electric.CatchUp()
	}
}

func (d *deployment) catchUp() {
	for _, r := range d.replicas {
		r.electric.CatchUp()
	}
}

// meetEverybody has each replica asked by each client, so that it watches the grants of
// each from now on.
func (d *deployment) meetEverybody(clients []*client) {
	d.t.Helper()
	for _, r := range d.replicas {
		for _, c := range clients {
			c.begin()
			d.check(c.read(d.ctx(), r.url, false, false))
		}
	}
	for _, c := range clients {
		c.begin()
	}
}

// act does one thing: changes something, or has a client read while something
// changes.
func (d *deployment) act(c *client, rough bool) {
	switch d.r.IntN(12) {
	case 0, 1:
		d.changeGrants(false)
	case 2, 3:
		d.changeRows()
	case 4:
		d.changeGrants(true)
	case 5:
		if rough && d.r.IntN(3) == 0 {
			d.say("replica %d restarts", d.restart(d.r.IntN(2)))
		} else {
			d.say("the watch breaks")
			d.spicedb.BreakConnections()
		}
	case 6:
		d.at[c] = 1 - d.at[c]
		d.say("%s moves to replica %d", name(c), d.at[c])
	case 7:
		d.say("%s reads, and loses the answer", name(c))
		d.check(c.read(d.ctx(), d.base(c), false, true))
	case 8:
		d.say("%s reads", name(c))
		d.check(c.read(d.ctx(), d.base(c), false, false))
		if c.onDemand && !c.fresh {
			d.check(c.load(d.ctx(), d.base(c)))
		}
	default:
		d.readWhileThingsHappen(c)
	}
	d.reads++
}

func name(c *client) string {
	return fmt.Sprintf("%s of %s (on demand %v, round robin %v)", c.person, c.shape.name, c.onDemand, c.roundRobin)
}

// readWhileThingsHappen has a client wait, in one way or another.
func (d *deployment) readWhileThingsHappen(c *client) {
	if c.fresh {
		d.check(c.read(d.ctx(), d.base(c), false, false))
		return
	}
	done := make(chan error, 1)
	base, ctx := d.base(c), d.ctx()
	switch kind := d.r.IntN(3); kind {
	case 0, 1:
		lose := d.r.IntN(4) * kind // 0: nothing is lost
		d.say("%s opens a stream, losing it after %d", name(c), lose)
		go func() { done <- c.stream(ctx, base, lose) }()
	default:
		d.say("%s waits", name(c))
		go func() { done <- c.read(ctx, base, true, false) }()
	}
	for range 1 + d.r.IntN(3) {
		if d.r.IntN(2) == 0 {
			d.changeGrants(d.r.IntN(3) == 0)
		} else {
			d.changeRows()
		}
	}
	d.check(<-done)
}

// rest lets every client read to the end, and holds its rows against the oracle.
func (d *deployment) rest(clients []*client) {
	d.t.Helper()
	d.told()
	d.catchUp()
	d.read()
	for _, c := range clients {
		d.check(d.settles(c))
	}
	d.o.rested()
}

// settles lets a client read to the end, and holds its rows against the oracle. A client
// that was told to come again later does so.
func (d *deployment) settles(c *client) error {
	most := 5
	if d.o.lax {
		most = 1000 // with pauses: as long as decisions may be out of date
	}
	var wrong error
	for n, ctx := 0, d.ctx(); n < most; n++ {
		c.later = false
		if err := c.read(ctx, d.base(c), false, false); err != nil {
			return err
		}
		if c.onDemand && !c.fresh && !c.loaded {
			if err := errors.Join(c.load(ctx, d.base(c)), c.read(ctx, d.base(c), false, false)); err != nil {
				return err
			}
		}
		if wrong = c.o.difference(c.view, c.rows); wrong == nil && !c.fresh {
			return nil
		}
		if c.later {
			n--
		}
		if c.later || d.o.lax {
			if err := backOff(ctx); err != nil {
				return err
			}
		}
	}
	if wrong == nil {
		return nil
	}
	wrong = fmt.Errorf("%w\nSpiceDB permits %v now, the oracle %v", wrong, d.ask(newest)[c.person], d.o.grants[c.person])
	for i, r := range d.replicas {
		other := *c
		other.begin()
		err := other.read(d.ctx(), r.url, false, false)
		wrong = fmt.Errorf("%w\na client that begins at replica %d holds %v (%v)", wrong, i, inOrder(other.rows), err)
	}
	return wrong
}

// backOff waits as a client does before it tries again.
func backOff(ctx context.Context) error {
	const pause = 3 * time.Millisecond
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// changeRows writes one to three rows in one transaction.
func (d *deployment) changeRows() { d.rowChanges(nil) }

func (d *deployment) rowChanges(before map[string]grants) {
	var statements []string
	for range 1 + d.r.IntN(3) {
		id := fmt.Sprintf("d%d", d.r.IntN(docs))
		d.versions++
		next := row{fmt.Sprintf("p%d", d.r.IntN(projects)), fmt.Sprintf("v%d", d.versions)}
		current, exists := d.o.rows[id]
		switch n := d.r.IntN(6); {
		case !exists:
			statements = append(statements, fmt.Sprintf("INSERT INTO docs (id, project, body) VALUES ('%s', '%s', '%s')", id, next.project, next.body))
			d.o.write(id, &next, before)
		case n == 0:
			statements = append(statements, fmt.Sprintf("DELETE FROM docs WHERE id = '%s'", id))
			d.o.write(id, nil, before)
		case n == 1:
			other := fmt.Sprintf("d%d", d.r.IntN(docs))
			if _, taken := d.o.rows[other]; taken {
				continue
			}
			statements = append(statements, fmt.Sprintf("UPDATE docs SET id = '%s', body = '%s' WHERE id = '%s'", other, next.body, id))
			next.project = current.project
			d.o.write(id, nil, before)
			d.o.write(other, &next, before)
		case n < 4:
			statements = append(statements, fmt.Sprintf("UPDATE docs SET body = '%s' WHERE id = '%s'", next.body, id))
			next.project = current.project
			d.o.write(id, &next, before)
		default:
			statements = append(statements, fmt.Sprintf("UPDATE docs SET project = '%s', body = '%s' WHERE id = '%s'", next.project, next.body, id))
			d.o.write(id, &next, before)
		}
	}
	if len(statements) == 0 {
		return
	}
	d.say("%s", strings.Join(statements, "; "))
	d.check(d.commit(strings.Join(statements, ";\n")))
}

// commit runs statements in a transaction of their own, or in one that began earlier:
// transactions do not commit in the order of their ids.
func (d *deployment) commit(statements string) error {
	if len(d.open) == 0 || d.side.IntN(2) == 0 {
		_, err := d.tables.Exec(statements)
		return err
	}
	i := d.side.IntN(len(d.open))
	tx := d.open[i]
	d.open = slices.Delete(d.open, i, i+1)
	d.say("  as transaction %d", tx.ID())
	tx.Exec(statements)
	return tx.Commit()
}

// overlap opens a transaction now and then, which some later write commits; and the
// database is written to where no shape is, which moves its LSN and not the log's.
func (d *deployment) overlap(n int) {
	switch n {
	case 0:
		if len(d.open) < 2 {
			d.open = append(d.open, d.tables.Begin())
			d.say("transaction %d begins", d.open[len(d.open)-1].ID())
		}
	case 1:
		d.tables.WriteUnpublished()
	}
}

// changeGrants writes a relationship. With rows, it writes rows at the same moment;
// otherwise it waits until the proxies have heard of it.
func (d *deployment) changeGrants(andRows bool) {
	before := d.writeGrant(d.pickRelationship())
	if andRows {
		d.rowChanges(before)
	}
	d.told()
}

func (d *deployment) pickRelationship() string {
	person := people[d.r.IntN(len(people))]
	doc, project := fmt.Sprintf("doc:d%d", d.r.IntN(docs)), fmt.Sprintf("project:p%d", d.r.IntN(projects))
	group := fmt.Sprintf("group:g%d", d.r.IntN(2))
	all := []string{
		doc + "#viewer@user:" + person, doc + "#viewer@user:" + person, doc + "#banned@user:" + person, doc + "#viewer@" + group + "#member",
		project + "#viewer@user:" + person, project + "#viewer@" + group + "#member", group + "#member@user:" + person,
	}
	return all[d.r.IntN(len(all))]
}

// writeGrant writes a relationship, or deletes it if it is there, and returns what
// everybody held before.
func (d *deployment) writeGrant(relationship string) (before map[string]grants) {
	d.o.changing.Lock()
	defer d.o.changing.Unlock()
	if !slices.Contains(d.written, relationship) {
		d.say("+ %s", relationship)
		d.written = append(d.written, relationship)
		return d.o.grant(d.update(authzedv1.RelationshipUpdate_OPERATION_TOUCH, relationship))
	}
	d.say("- %s", relationship)
	d.written = slices.DeleteFunc(d.written, func(r string) bool { return r == relationship })
	after := d.update(authzedv1.RelationshipUpdate_OPERATION_DELETE, relationship)
	object, of, _ := strings.Cut(relationship, "#")
	if _, subject, _ := strings.Cut(of, "@"); !strings.HasPrefix(object, "group:") {
		d.o.interrupt(object, subject)
	}
	return d.o.grant(after)
}

func (d *deployment) ctx() context.Context {
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	d.t.Cleanup(cancel)
	return ctx
}

func (d *deployment) say(format string, args ...any) {
	d.script = append(d.script, fmt.Sprintf(format, args...))
}

func (d *deployment) check(err error) {
	d.t.Helper()
	if err != nil {
		const shown = 40
		d.t.Fatalf("%v\nafter %s", err, strings.Join(d.script[max(0, len(d.script)-shown):], "\n      "))
	}
}

// openClients opens one client of each kind.
func (d *deployment) openClients() (all []*client) {
	for i := range shapes {
		for j, person := range people {
			c := &client{
				view: view{person, &shapes[i]}, o: d.o, http: d.client, token: d.token(person), onDemand: (i+j)%3 == 2,
				roundRobin: (i+2*j)%4 < 2,
			}
			c.begin()
			d.at[c] = (i + j) % 2
			all = append(all, c)
		}
	}
	return all
}
