package kept_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/authz/grantcache"
	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/integration/grantcachetest"
	"github.com/shapegate/shapegate/integration/spicedbtest"
)

// reader is one person's question, how it was answered after each write, and how
// SpiceDB itself would have answered it.
type reader struct {
	subject   authz.Subject
	rule      authz.Rule
	context   map[string]any
	sub       authz.Subscription
	elsewhere authz.Subscription // in a process that decides nothing
	decisions []authz.Decision
	truth     [][]string
}

// A seed that failed is tried again with SHAPEGATE_KEPT_SEED, and more of them with
// SHAPEGATE_KEPT_SCHEMAS.
func TestWhatIsKeptIsWhatSpiceDBWouldSay(t *testing.T) {
	schemas, err := strconv.Atoi(cmp.Or(os.Getenv("SHAPEGATE_KEPT_SCHEMAS"), "6"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := strconv.ParseUint(cmp.Or(os.Getenv("SHAPEGATE_KEPT_SEED"), strconv.FormatUint(rand.Uint64()>>1, 10)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for seed := first; seed < first+uint64(schemas); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { tryWorld(t, seed) })
	}
}

const writes = 40

func tryWorld(t *testing.T, seed uint64) {
	w := newWorld(rand.New(rand.NewPCG(seed, 0)))
	server := spicedbtest.Start(t, spicedbtest.Config{Schema: w.schema()})
	client, err := spicedb.Dial(spicedb.Config{
		Endpoint: "spicedb", Token: server.Token(), Insecure: true, Dialer: server.DialContext,
		Logger: slog.New(slog.DiscardHandler), Timeout: 20 * time.Second, LookupTimeout: time.Minute,
	})
	check(t, err)
	defer func() { _ = client.Close() }()
	cache := grantcachetest.Start(t, grantcache.Config{
		Engine: client, Key: authz.NewFingerprintKey([]byte("the secret of the tests of kept grants")),
		MaxStaleness: 10 * time.Second, Heartbeat: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	elsewhere := grantcachetest.Start(t, grantcache.Config{
		Engine: client, Key: authz.NewFingerprintKey([]byte("the secret of the tests of kept grants")),
		Forced: 1 << 30, Logger: slog.New(slog.DiscardHandler),
	})
	readers := openReaders(t, cache, elsewhere)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // which only ends tests that have failed
	defer cancel()
	sentinel, err := cache.Sentinel(ctx, grantcachetest.Post{ResourceType: "marker", Relation: "viewer", Permission: "view", Touch: server.Touch})
	check(t, err)
	for _, r := range readers {
		r.look(t, client)
	}
	script := []string{w.schema()}
	before := asked(server)
	spared, forgotten := 0, 0
	for range writes {
		script = append(script, w.step(t, server))
		check(t, sentinel.Heard(ctx))
		for _, r := range readers {
			got := r.look(t, client)
			spared++
			for range 5 { // what is asked right after a write may lack it; it is asked once more
				if slices.Equal(got, r.truth[len(r.truth)-1]) {
					break
				}
				r.decisions, r.truth = r.decisions[:len(r.decisions)-1], r.truth[:len(r.truth)-1]
				select {
				case <-r.sub.Changed():
				case <-time.After(200 * time.Millisecond):
				}
				got = r.look(t, client)
				spared++
			}
			if want := r.truth[len(r.truth)-1]; !slices.Equal(got, want) {
				t.Fatalf("%s by %v, context %v: kept %v, SpiceDB says %v\n%v", r.subject, r.rule, r.context, got, want, script)
			}
			if !r.checkPast(t, w.r.IntN(len(r.decisions)), script) {
				forgotten++
			}
		}
	}
	if forgotten > 0 {
		t.Errorf("%d earlier decisions could not be recalled", forgotten)
	}
	t.Logf("%d kept answers through %d writes: %d calls to SpiceDB, where asking anew takes %d",
		len(readers), writes, asked(server)-before-spared, len(readers)*writes)
}

// asked counts the calls that answer questions. The test itself asks one for each
// answer that it compares.
func asked(s *spicedbtest.Server) int {
	return s.Calls("LookupResources") + s.Calls("CheckBulkPermissions") + s.Calls("LookupSubjects")
}

// step writes something.
func (w *world) step(t *testing.T, server *spicedbtest.Server) string {
	t.Helper()
	if w.r.IntN(15) == 0 {
		w.drawPermissions()
		check(t, server.WriteSchema(t.Context(), w.schema()))
		return w.schema()
	}
	existing := slices.Sorted(maps.Keys(w.written))
	if len(existing) > 0 && w.r.IntN(5) < 2 {
		gone := existing[w.r.IntN(len(existing))]
		delete(w.written, gone)
		check(t, server.Delete(t.Context(), gone))
		return "- " + gone
	}
	var all []string
	for range 1 + w.r.IntN(3) {
		if r := w.relationship(); !slices.Contains(all, r) && !w.clashes(r, all) {
			all = append(all, r)
		}
	}
	check(t, server.Touch(t.Context(), all...))
	for _, r := range all {
		for old := range w.written { // the same relationship with another caveat
			if bare(old) == bare(r) {
				delete(w.written, old)
			}
		}
		w.written[r] = true
	}
	return fmt.Sprint("+ ", all)
}

// clashes reports whether one transaction would write a relationship twice.
func (w *world) clashes(r string, others []string) bool {
	return slices.ContainsFunc(others, func(o string) bool { return bare(o) == bare(r) })
}

func bare(relationship string) string {
	for i, c := range relationship {
		if c == '[' {
			return relationship[:i]
		}
	}
	return relationship
}

func open(t *testing.T, cache *grantcachetest.Cache, who authz.Subject, rule authz.Rule, values map[string]any) authz.Subscription {
	t.Helper()
	l, err := cache.Subscribe(authz.Question{Subject: who, Rule: rule, Context: values})
	check(t, err)
	t.Cleanup(l.Release)
	return l
}

// openReaders opens a question of each kind for each person.
func openReaders(t *testing.T, cache, elsewhere *grantcachetest.Cache) []*reader {
	t.Helper()
	filter := func(typ, permission string) authz.Rule {
		return authz.Rule{Filters: []authz.Filter{{ResourceType: typ, Permission: permission}}}
	}
	rules := []authz.Rule{
		filter("doc", "view"), filter("doc", "edit"), filter("folder", "view"), filter("group", "member"), filter("doc", "viewer"),
		{Gate: &authz.Requirement{Resource: authz.ObjectRef{Type: "doc", ID: "d0"}, Permission: "view"}},
		{Gate: &authz.Requirement{Resource: authz.ObjectRef{Type: "user", ID: "u0"}, Permission: "boss"}},
	}
	var all []*reader
	for i := range people {
		who := authz.Subject{ObjectRef: authz.ObjectRef{Type: "user", ID: fmt.Sprintf("u%d", i)}}
		for _, rule := range rules {
			// Without a level SpiceDB's own lookups are less certain still: an id that
			// is held by one path and conditional by another is now reported, now not.
			r := &reader{subject: who, rule: rule, context: map[string]any{"level": i + 1}}
			r.sub = open(t, cache, who, rule, r.context)
			r.elsewhere = open(t, elsewhere, who, rule, r.context)
			all = append(all, r)
		}
	}
	return all
}

// look decides, asks SpiceDB itself, and keeps both.
func (r *reader) look(t *testing.T, client *spicedb.Client) []string {
	t.Helper()
	d, err := r.sub.Decide(t.Context(), authz.Bounded, "")
	got := []string{}
	switch {
	case authz.KindOf(err) == authz.Denied && err != nil:
	case err != nil:
		t.Fatal(err)
	case d.Grants.IsEverything():
		got = append(got, "held")
	default:
		got = slices.AppendSeq(got, d.Grants.Set(0).All())
	}
	slices.Sort(got)
	want := []string{}
	if g := r.rule.Gate; g != nil {
		held, err := client.CheckPermission(t.Context(), r.subject, g.Resource, g.Permission, r.context)
		check(t, err)
		if held {
			want = append(want, "held")
		}
	} else {
		f := r.rule.Filters[0]
		_, err := client.LookupResources(t.Context(), authz.Lookup{
			Subject: r.subject.ObjectRef, ResourceType: f.ResourceType, Permission: f.Permission, Context: r.context,
		}, func(id string) { want = append(want, id) })
		check(t, err)
		slices.Sort(want)
		want = slices.Compact(want)
	}
	r.decisions = append(r.decisions, d)
	r.truth = append(r.truth, want)
	return got
}

// checkPast holds what the cache says of an earlier decision against what SpiceDB said
// then: another process, which has decided nothing, recalls its grants from their
// fingerprint and ZedTokens; and an object that was lost since, because a relationship of
// it alone was deleted, is interrupted. It returns whether the grants could be recalled.
func (r *reader) checkPast(t *testing.T, then int, script []string) (recalled bool) {
	t.Helper()
	if r.rule.Gate != nil {
		return true
	}
	d := r.decisions[then]
	g, err := r.elsewhere.Recall(t.Context(), d.Fingerprint, d.Tokens)
	if err != nil && !errors.Is(err, authz.ErrForgotten) {
		t.Fatal(err)
	}
	if got := sorted(g.Set(0)); err == nil && !slices.Equal(got, r.truth[then]) {
		t.Fatalf("%s by %v: %v was recalled for step %d, it was %v\n%v", r.subject, r.rule, got, then, r.truth[then], script)
	}
	interrupted, ok := r.sub.Interrupted(d.At)
	if !ok {
		t.Fatalf("%s by %v: a question without a gate has lost it\n%v", r.subject, r.rule, script)
	}
	for step := then + 1; step < len(r.truth); step++ {
		of, isOne := strings.CutPrefix(script[step], "- "+r.rule.Filters[0].ResourceType+":")
		id, rest, _ := strings.Cut(of, "#")
		if isOne && strings.HasSuffix(bare(rest), "@"+r.subject.String()) &&
			slices.Contains(r.truth[step-1], id) && !slices.Contains(r.truth[step], id) && !interrupted.Set(0).Has(id) {
			t.Fatalf("%s by %v: the loss of %s at step %d is forgotten since step %d\n%v", r.subject, r.rule, id, step, then, script)
		}
	}
	return err == nil
}

func sorted(set *authz.GrantSet) []string {
	ids := slices.AppendSeq([]string{}, set.All())
	slices.Sort(ids)
	return ids
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
