package world

import "bytes"

// A title says whose row it is, so that a client can see from the bytes of an
// answer alone whether it holds a row that is not.
const (
	forWhom      = `"title":"for `
	forEverybody = "everybody"
	forNobody    = "nobody"
)

// TitleForAll is the title of a row that everybody may see.
func TitleForAll(text string) string { return "for " + forEverybody + ": " + text }

// TitleForNobody is the title of a row that nobody may see.
func TitleForNobody(text string) string { return "for " + forNobody + ": " + text }

// TitleFor is the title of a row that a person alone may see.
func TitleFor(n int, text string) string { return "for " + Person(n) + ": " + text }

var (
	anyTitle    = []byte(forWhom)
	commonTitle = []byte(forWhom + forEverybody + ":")
)

// Titles counts the titles of ours in an answer.
func Titles(body []byte) int { return bytes.Count(body, anyTitle) }

// Visitor tells the rows of one person from those of others.
type Visitor struct{ own []byte }

// NewVisitor returns the n-th person's.
func NewVisitor(n int) Visitor { return Visitor{[]byte(forWhom + Person(n) + ":")} }

// Foreign counts the rows in an answer that the person may not see.
func (v Visitor) Foreign(body []byte) int {
	all := Titles(body)
	if all == 0 {
		return 0
	}
	return all - bytes.Count(body, commonTitle) - bytes.Count(body, v.own)
}

var operation = []byte(`"operation":`)

// Changes counts the messages about rows in an answer.
func Changes(body []byte) int { return bytes.Count(body, operation) }
