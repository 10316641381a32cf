// Package rows runs SQL where the rows are that the load tool changes.
package rows

import (
	"context"
	"time"

	"github.com/shapegate/shapegate/integration/electrictest"
)

// Rows runs SQL, one transaction at a time, and returns when it is committed, and
// when that was.
type Rows interface {
	Exec(ctx context.Context, sql string) (committed time.Time, err error)
}

// StandIn is the tables of a stand-in in this process.
type StandIn struct{ Server *electrictest.Server }

// Exec implements Rows.
func (s StandIn) Exec(_ context.Context, sql string) (time.Time, error) {
	_, err := s.Server.Exec(sql)
	return time.Now(), err
}
