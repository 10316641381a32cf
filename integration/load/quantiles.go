package main

import (
	"slices"
	"time"
)

// quantiles are how long the half, 95 and 99 of 100, and all of the samples took
// at the most.
type quantiles struct{ p50, p95, p99, most time.Duration }

func quantilesOf(samples []time.Duration) quantiles {
	if len(samples) == 0 {
		return quantiles{}
	}
	slices.Sort(samples)
	at := func(percent int) time.Duration {
		// Of n samples the k-th, counted from 1, where k is percent of n rounded up.
		return samples[(len(samples)*percent+99)/100-1]
	}
	return quantiles{at(50), at(95), at(99), at(100)}
}
