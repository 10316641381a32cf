package schema

import (
	"regexp"
	"strings"
)

// claimStep matches one name of a path to a claim: up to the next dot, or in double quotes,
// where it may have dots and spaces. A name cannot have a double quote itself.
const claimStep = `([^". \t\n\r]+|"[^"\x00-\x1f]+")`

var firstStep = regexp.MustCompile(`^` + claimStep + `(\.|$)`)

// readClaimPath reads a path to a claim, as in address.country, or in
// "https://example.com/roles".admin. It reports false for what is no path.
func readClaimPath(text string) (steps []string, ok bool) {
	for {
		m := firstStep.FindStringSubmatch(text)
		if m == nil {
			return nil, false
		}
		steps = append(steps, strings.Trim(m[1], `"`))
		text = text[len(m[0]):]
		if m[2] == "" {
			return steps, true
		}
	}
}

// ClaimPath writes a path to a claim as shapes.yaml has it.
func ClaimPath(steps []string) string {
	written := make([]string, len(steps))
	for i, step := range steps {
		if written[i] = step; strings.ContainsAny(step, ". \t\n\r") {
			written[i] = `"` + step + `"`
		}
	}
	return strings.Join(written, ".")
}
