package feed

import (
	"errors"
	"testing"
	"time"

	"github.com/shapegate/shapegate/proxy/electric"
)

func TestWhatFollowsFromARequest(t *testing.T) {
	const ms = time.Millisecond
	down := errors.New("no connection")
	type step struct {
		outcome
		want  verdict
		pause time.Duration
	}
	start := func(err error) outcome { return outcome{err: err, start: true} }
	live := func(err error) outcome { return outcome{err: err, live: true} }
	read := func(err error) outcome { return outcome{err: err} }
	for name, steps := range map[string][]step{
		"a refused log":      {{start(electric.ErrRefused), over, 0}},
		"no Electric":        {{start(down), over, 0}},
		"a log that is gone": {{start(nil), fine, 0}, {read(electric.ErrMustRefetch), gone, 0}, {start(nil), fine, 0}},
		"Electric is away": {
			{start(nil), fine, 0}, {live(down), away, 50 * ms}, {read(down), away, 100 * ms}, {read(down), away, 200 * ms},
			{read(down), away, 400 * ms}, {read(down), away, 800 * ms}, {read(down), away, 1000 * ms}, {read(down), away, 1000 * ms},
			{read(nil), fine, 0}, {live(down), away, 1000 * ms}, // only a live answer shows that all is well
			{read(nil), fine, 0}, {live(nil), fine, 0}, {live(down), away, 50 * ms},
		},
		"away while it starts again": {{start(nil), fine, 0}, {read(electric.ErrMustRefetch), gone, 0}, {start(down), away, 100 * ms}},
		"a live answer is not reliable": {
			{start(nil), fine, 0}, {live(electric.ErrMustRefetch), unclear, 0}, {read(nil), fine, 0},
			{live(electric.ErrMustRefetch), unclear, 100 * ms}, {read(electric.ErrMustRefetch), gone, 200 * ms},
		},
		"a refused position": {{start(nil), fine, 0}, {live(electric.ErrRefused), gone, 0}, {start(electric.ErrRefused), over, 0}},
		"never followed":     {{start(electric.ErrMustRefetch), gone, 0}, {start(electric.ErrMustRefetch), gone, 100 * ms}, {start(down), over, 0}},
	} {
		var r retry
		for i, s := range steps {
			if got, pause := r.after(s.outcome); got != s.want || pause != s.pause {
				t.Errorf("%s, request %d: verdict %d, pause %v, want %d and %v", name, i, got, pause, s.want, s.pause)
			}
			if r.doubtful != (s.want == unclear) {
				t.Errorf("%s, request %d: doubtful is %v", name, i, r.doubtful)
			}
		}
	}
}

func TestALogIsReadableWhileElectricIsAwayForAShortTime(t *testing.T) {
	down, begin := errors.New("no connection"), time.Unix(1000, 0)
	l := newLink(10 * time.Second)
	for _, s := range []struct {
		name    string
		do      func(now time.Time)
		at      time.Duration // since the beginning
		current bool
		want    error
	}{
		{"it starts", func(time.Time) {}, 0, false, nil},
		{"it follows, and has not asked", func(time.Time) { l.become(following) }, 0, false, nil},
		{"it has asked", func(now time.Time) { l.asked = now }, time.Second, true, nil},
		{"the request is old", func(time.Time) {}, 31 * time.Second, false, nil},
		{"the request has failed", func(now time.Time) { l.asked = now; l.unanswered(now, down) }, 40 * time.Second, false, nil},
		{"and another one", func(now time.Time) { l.unanswered(now, down) }, 50 * time.Second, false, nil},
		{"for too long", func(now time.Time) { l.unanswered(now, down) }, 51 * time.Second, false, down},
		{"it is back", func(time.Time) { l.answered() }, 52 * time.Second, true, nil},
		{"it has ended", func(time.Time) { l.fail(errClosed) }, 53 * time.Second, false, errClosed},
	} {
		now := begin.Add(s.at)
		s.do(now)
		if got, err := l.isCurrent(now), l.unusable(now); got != s.current || !errors.Is(err, s.want) {
			t.Errorf("%s: current %v, %v", s.name, got, err)
		}
	}
}
