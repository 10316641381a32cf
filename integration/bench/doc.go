// Package bench measures what authorization costs, against the same requests made
// straight to the Electric stand-in in the same run. It holds benchmarks only;
// those of single parts are beside the parts.
//
//	go test -bench . -run '^$' ./integration/bench
//
// The figure to quote is x-direct: the time through shapegate over the time
// without it, of requests made in turn.
package bench
