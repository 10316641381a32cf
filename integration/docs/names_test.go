package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var testName = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*)`")

// Each test that a page names is in the file that it is linked to.
func TestPagesNameTestsThatThereAre(t *testing.T) {
	t.Chdir(root)
	for _, p := range pages(t) {
		linked := map[string]bool{}
		for _, l := range p.links() {
			name := testName.FindStringSubmatch(l.text)
			if name == nil {
				continue
			}
			linked[name[1]] = true
			if !strings.Contains(read(t, filepath.FromSlash(l.target)), "\nfunc "+name[1]+"(") {
				t.Errorf("%s: %s has no %s", p.path, l.target, name[1])
			}
		}
		for _, name := range testName.FindAllStringSubmatch(p.text, -1) {
			if !linked[name[1]] {
				t.Errorf("%s: %s is not linked to its file", p.path, name[1])
			}
		}
	}
}

var (
	metricInCode = regexp.MustCompile(`(?:Name:\s+|gauge\(|counter\()"(shapegate_\w+)"|describe\("(\w+)"`)
	metricInText = regexp.MustCompile(`\b(shapegate_[a-z_]*[a-z])\b`)

	// Not metrics: the definition of the heartbeat, and a cookie.
	otherNames = map[string]bool{"shapegate_canary": true, "shapegate_session": true}
)

// metricsInCode are the names of the metrics of the production code.
func metricsInCode(t *testing.T) map[string]bool {
	t.Helper()
	inCode := map[string]bool{}
	for _, dir := range []string{"authz", "cmd", "proxy"} {
		for _, file := range files(t, dir, ".go") {
			for _, m := range metricInCode.FindAllStringSubmatch(read(t, file), -1) {
				switch {
				case strings.HasSuffix(file, "_test.go"):
				case m[1] != "":
					inCode[m[1]] = true
				default:
					inCode["shapegate_feed_"+m[2]] = true
				}
			}
		}
	}
	return inCode
}

// METRICS.md has each metric of the production code, and no page has others.
func TestPagesNameTheMetrics(t *testing.T) {
	t.Chdir(root)
	inCode := metricsInCode(t)
	const list = "proxy/gateway/METRICS.md"
	inList := map[string]bool{}
	for _, p := range pages(t) {
		for _, m := range metricInText.FindAllStringSubmatch(p.text, -1) {
			if !inCode[m[1]] && !otherNames[m[1]] {
				t.Errorf("%s has %s, which the code does not have", p.path, m[1])
			}
			if p.path == list {
				inList[m[1]] = true
			}
		}
	}
	for name := range inCode {
		if !inList[name] {
			t.Errorf("%s lacks %s", list, name)
		}
	}
}

var (
	// A call of shapegate-dev, with the lines that go on with it.
	devCall = regexp.MustCompile(`(?m)(?:^|[\s/` + "`" + `])shapegate-dev((?:[^\n\\|` + "`" + `#]|\\\n)*)`)
	aFlag   = regexp.MustCompile(`--([a-z-]+)`)
)

// Each flag that a page gives to shapegate-dev is one of its flags.
func TestPagesNameFlagsOfShapegateDevThatThereAre(t *testing.T) {
	t.Chdir(root)
	options := read(t, "cmd/shapegate-dev/options.go")
	seen := 0
	for _, p := range pages(t) {
		for _, call := range devCall.FindAllStringSubmatch(p.text, -1) {
			for _, flag := range aFlag.FindAllStringSubmatch(call[1], -1) {
				if seen++; flag[1] != "help" && !strings.Contains(options, `"`+flag[1]+`"`) {
					t.Errorf("%s: shapegate-dev has no --%s", p.path, flag[1])
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no page names a flag of shapegate-dev")
	}
}
