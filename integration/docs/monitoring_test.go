package docs_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/goccy/go-yaml"
)

const (
	dashboard = "integration/compose/grafana/dashboards/shapegate.json"
	alerts    = "integration/compose/prometheus/alerts.yml"
)

var (
	// Of a histogram there are a bucket, a count and a sum.
	metricInQuery = regexp.MustCompile(`\b(shapegate_\w+?)(?:_bucket|_count|_sum)?\b(?:\{|\[|\)| )`)
	// grpc, process and go metrics come from libraries, as does up from Prometheus.
	anyMetric = regexp.MustCompile(`\b([a-z]+_[a-z_]+)\{`)
)

// A panel whose metric has another name stays empty, and an alert on it never fires.
func TestDashboardAndAlertsAskForMetricsThatExist(t *testing.T) {
	t.Chdir(root)
	known := metricsInCode(t)
	shown := map[string]bool{}
	for _, query := range append(panelQueries(t), alertQueries(t)...) {
		found := metricInQuery.FindAllStringSubmatch(query+" ", -1)
		for _, m := range found {
			if shown[m[1]] = true; !known[m[1]] {
				t.Errorf("no code has %s, of %s", m[1], query)
			}
		}
		for _, m := range anyMetric.FindAllStringSubmatch(query, -1) {
			if !regexp.MustCompile(`^(shapegate|grpc_client|process|go)_`).MatchString(m[1]) {
				t.Errorf("who has %s, of %s?", m[1], query)
			}
		}
	}
	for _, name := range []string{
		"shapegate_decision_seconds", "shapegate_watch_age_seconds", "shapegate_heartbeat_failing", "shapegate_feed_lag_seconds",
		"shapegate_held_requests", "shapegate_resyncs_total", "shapegate_requests_total", "shapegate_errors_total", "shapegate_limited_requests_total",
	} {
		if !shown[name] {
			t.Errorf("nothing shows %s", name)
		}
	}
}

func panelQueries(t *testing.T) (queries []string) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, dashboard)), &board); err != nil {
		t.Fatal(err)
	}
	for _, panel := range board.Panels {
		if panel.Title == "" || panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("the panel %q has no title or no query", panel.Title)
		}
		for _, target := range panel.Targets {
			queries = append(queries, target.Expr)
		}
	}
	if len(queries) == 0 {
		t.Fatal("no panel has a query")
	}
	return queries
}

// Whoever is woken by an alert reads what to do.
func alertQueries(t *testing.T) (queries []string) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Annotations struct{ Summary, Do string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, alerts)), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Annotations.Summary == "" || rule.Annotations.Do == "" {
				t.Errorf("%s does not say what is the matter, or what to do", rule.Alert)
			}
			queries = append(queries, rule.Expr)
		}
	}
	if len(queries) == 0 {
		t.Fatal("no rules")
	}
	return queries
}
