package child

// Upstream is what the stand-in for Electric was asked so far.
type Upstream struct {
	Held  int `json:"held"` // requests that wait at this moment
	Total int `json:"total"`
}
