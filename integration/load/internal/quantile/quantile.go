// Package quantile says how long the half, 95 and 99 of 100, and all of some
// samples took.
package quantile

import (
	"slices"
	"time"
)

// Quantiles of durations. Each is one of the samples.
type Quantiles struct{ P50, P95, P99, Most time.Duration }

// Of sorts the samples and returns their quantiles.
func Of(samples []time.Duration) Quantiles {
	if len(samples) == 0 {
		return Quantiles{}
	}
	slices.Sort(samples)
	at := func(percent int) time.Duration {
		// Of n samples the k-th, counted from 1, where k is percent of n rounded up.
		return samples[(len(samples)*percent+99)/100-1]
	}
	return Quantiles{at(50), at(95), at(99), at(100)}
}

// Milliseconds is a duration as a number of them.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
