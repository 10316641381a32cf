package schema

// DidYouMean returns ", did you mean …?" for the candidate nearest to name, or "" if
// none is near enough to be a slip of the hand.
func DidYouMean(name string, candidates []string) string { return didYouMean(name, candidates) }
