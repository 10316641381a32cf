package cursor_test

import (
	"fmt"
	"time"

	"github.com/shapegate/shapegate/authz"
	"github.com/shapegate/shapegate/proxy/cursor"
	"github.com/shapegate/shapegate/proxy/electric"
)

// A client read its rows, and is being sent a stream that begins with a resync, since its
// grants have changed. Its handle is taken apart.
func Example() {
	key := cursor.NewKey([]byte("a secret that all replicas have"))
	scope := cursor.Scope{Shape: "documents", Subject: "user:alice"}
	noon := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

	base, _ := electric.ParseOffset("27065288_1")
	c := cursor.FirstRead("3297964-1795463878298592", base, authz.Decision{
		Fingerprint: authz.Fingerprint{0xa1},
		Tokens:      []authz.ZedToken{"GhUKEzE3OTU0"},
		At:          authz.Moment{Time: noon},
	}, electric.NewFence(805, 805, nil, 27094008))
	c, _ = c.Offered(cursor.Resync{
		To:    cursor.Grants{Fingerprint: authz.Fingerprint{0xa2}, Tokens: []authz.ZedToken{"GhUKEzE3OTU5"}},
		At:    authz.Moment{Time: noon.Add(time.Second)},
		Fence: electric.NewFence(806, 809, []uint64{807}, 27094120),
		Mark:  electric.Marked(27094112),
	})
	handle := key.Seal(&c, scope)

	// The next request, on any replica.
	c, err := key.Open(handle, scope)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("upstream:", c.Upstream, "from", c.Base)
	fmt.Printf("served:   %x… at %s, decided %s\n", c.Served.Fingerprint[:1], c.Served.Tokens, c.At.Time.UTC().Format(time.TimeOnly))
	for _, s := range c.Steps {
		fmt.Printf("step:     a snapshot before transaction %d without %d at LSN %d, fresh: %v\n", s.Fence.XMax(), s.Fence.XIP(), s.Fence.LSN(), s.Fresh)
	}
	for _, p := range c.Pending {
		fmt.Printf("pending:  %x… at %s, mark %d\n", p.To.Fingerprint[:1], p.To.Tokens, p.Mark)
	}

	// The client comes back from the end of the stream's first batch: it has the resync.
	offset, _ := electric.ParseOffset("27094113_0")
	c, _ = c.Acknowledge(offset)
	fmt.Printf("then:     served %x…, %d pending, %d steps\n", c.Served.Fingerprint[:1], len(c.Pending), len(c.Steps))

	_, err = key.Open(handle, cursor.Scope{Shape: "documents", Subject: "user:bob"})
	fmt.Println("of bob:  ", err)
	// Output:
	// upstream: 3297964-1795463878298592 from 27065288_1
	// served:   a1… at [GhUKEzE3OTU0], decided 12:00:00
	// step:     a snapshot before transaction 805 without [] at LSN 27094008, fresh: true
	// step:     a snapshot before transaction 809 without [807] at LSN 27094120, fresh: false
	// pending:  a2… at [GhUKEzE3OTU5], mark 27094113
	// then:     served a2…, 0 pending, 1 steps
	// of bob:   cursor: not a handle that was sealed here
}
