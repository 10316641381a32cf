// Package usage says what a process takes of the machine.
package usage

import (
	"context"

	"github.com/shapegate/shapegate/integration/load/internal/child"
	"github.com/shapegate/shapegate/integration/load/internal/metrics"
)

// Usage is what a process takes at a moment, and the CPU time it took until then.
type Usage struct {
	RSS   float64 `json:"rss"`   // bytes
	Heap  float64 `json:"heap"`  // bytes in use
	Stack float64 `json:"stack"` // bytes in use
	CPU   float64 `json:"cpu"`   // seconds
}

// Meter reads the usage of one process. Collect asks it to let go of what it does
// not need first, where it can be asked.
type Meter func(ctx context.Context, collect bool) (Usage, error)

// OfChild reads from the control of a child.
func OfChild(control string) Meter {
	return func(ctx context.Context, collect bool) (u Usage, err error) {
		url := control + "/usage"
		if collect {
			url += "?gc=1"
		}
		return u, child.Get(ctx, url, &u)
	}
}

// OfMetrics reads from the metrics of a shapegate, which is not asked to collect
// anything.
func OfMetrics(url string) Meter {
	return func(ctx context.Context, _ bool) (Usage, error) {
		v, err := metrics.Read(ctx, url)
		return Usage{RSS: v.RSS, Heap: v.Heap, Stack: v.Stack, CPU: v.CPU}, err
	}
}
