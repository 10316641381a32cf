package gateway

import (
	"context"
	"log/slog"
	"sync"

	"github.com/shapegate/shapegate/authz/spicedb"
)

// oldSpiceDB warns of a SpiceDB with known vulnerabilities. It keeps nothing from being
// served: that is for the operator to decide.
type oldSpiceDB struct {
	log *slog.Logger
	ask func(context.Context) (version string, err error)

	mu      sync.Mutex
	asked   bool
	warning string // of the last answer
}

// check returns the warning, or "". It asks for the version again until there is an answer
// without one, so that the warning ends with the old SpiceDB.
func (o *oldSpiceDB) check(ctx context.Context) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.asked && o.warning == "" {
		return ""
	}
	version, err := o.ask(ctx)
	if err != nil {
		return o.warning // readiness says itself that SpiceDB is away
	}
	warning := spicedb.OldVersion(version)
	if warning != "" && warning != o.warning {
		o.log.Warn("SpiceDB is too old", "version", version, "reason", warning)
	}
	o.asked, o.warning = true, warning
	return warning
}
