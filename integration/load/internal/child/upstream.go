package child

// Upstream is what the stand-in for Electric was asked so far.
type Upstream struct {
	Held   int `json:"held"` // requests that wait at this moment
	Total  int `json:"total"`
	Log    int `json:"log"` // reads of the log that did not wait
	Live   int `json:"live"`
	Subset int `json:"subset"`
}
