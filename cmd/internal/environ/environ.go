// Package environ reads the environment, for both binaries. An environment has the
// form of os.Environ: NAME=value.
package environ

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/shapegate/shapegate/schema"
)

// Lookup returns a function that finds a variable's value, "" if there is none. Of
// two variables of one name the last counts.
func Lookup(environ []string) func(name string) string {
	values := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return func(name string) string { return values[name] }
}

// Prefix begins the names of shapegate's own variables.
const Prefix = "SHAPEGATE_"

// fromPlatform matches variables that begin like ours and are set by others:
// Kubernetes describes a service called shapegate in them, and tests have their own.
var fromPlatform = regexp.MustCompile(`^SHAPEGATE_(SERVICE_(HOST|PORT(_.+)?)|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?|TEST_.*|E2E_.*)$`)

// Unknown returns a line for each variable that begins with Prefix and is not among
// known. Most often it is misspelled, and the default counts in its place.
func Unknown(environ, known []string) []string {
	var lines []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, Prefix) && !slices.Contains(known, name) && !fromPlatform.MatchString(name) {
			lines = append(lines, fmt.Sprintf("%s is set, and is no setting%s", name, schema.DidYouMean(name, known)))
		}
	}
	slices.Sort(lines)
	return lines
}

// Origins reads origins that are separated by commas, or * for any. Its errors do
// not repeat the value.
func Origins(value string) ([]string, error) {
	var origins []string
	for origin := range strings.SplitSeq(value, ",") {
		if origin = strings.TrimSpace(origin); origin == "" {
			continue
		}
		u, err := url.Parse(origin)
		if origin != "*" && (err != nil || u.Host == "" || origin != u.Scheme+"://"+u.Host) {
			return nil, errors.New("must be origins of the form scheme://host[:port], separated by commas, or *")
		}
		origins = append(origins, origin)
	}
	if len(origins) > 1 && slices.Contains(origins, "*") {
		return nil, errors.New("has * beside other origins")
	}
	return origins, nil
}
