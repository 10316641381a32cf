package child

// Template is an answer that the bare server gives to everybody: one that was seen
// at the shapegate. The mark in its body is replaced at each broadcast.
type Template struct {
	Header map[string]string `json:"header"`
	Body   string            `json:"body"`
	Mark   string            `json:"mark"`
}
