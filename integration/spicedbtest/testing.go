package spicedbtest

import "testing"

// Start is New for a test: it fails the test if the engine does not start, and
// closes the engine when the test ends.
func Start(tb testing.TB, cfg Config) *Server {
	tb.Helper()
	s, err := New(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close SpiceDB: %v", err)
		}
	})
	return s
}

// RunValidationFile is a test of the validation file at path: it starts an engine
// with the file's schema and relationships and fails with every assertion that
// does not hold on it.
func RunValidationFile(tb testing.TB, path string) {
	tb.Helper()
	f, err := LoadValidationFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	s := Start(tb, f.Config())
	if err := s.CheckAssertions(tb.Context(), f); err != nil {
		tb.Error(err)
	}
}
