package readers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/shapegate/shapegate/integration/load/internal/world"
)

// settleTime bounds how long a shapegate may take to hear of the relationships.
const settleTime = 30 * time.Second

// settle returns once each person's first read has the rows that it was granted. A
// shapegate that was running before the relationships were written hears of them a moment
// later; to a client that reads before that, they are changes.
func (s *site) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for n := range s.o.people {
		for {
			_, body, err := s.people.ask(ctx, n, s.gate.shape, fromStart)
			if err != nil {
				return err
			}
			if hasAll(string(body), append(world.Documents(world.Own, n, s.o.own), common())) {
				break
			}
			select {
			case <-look.C:
			case <-ctx.Done():
				return fmt.Errorf("the rows of person %d are not there after %s", n, settleTime)
			}
		}
	}
	return nil
}

func hasAll(body string, ids []string) bool {
	for _, id := range ids {
		if !strings.Contains(body, id) {
			return false
		}
	}
	return true
}
