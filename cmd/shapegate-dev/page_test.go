package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// lastLine is the last line that was printed.
func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// The last line is a URL to open. There a page and its backend are beside the shapes.
func TestTheLastLineIsThePage(t *testing.T) {
	// A database that the environment happens to name is not touched beside the stand-in.
	s := start(t, []string{"DATABASE_URL=postgres://nobody@127.0.0.1:1/none"})
	out := s.out.until(t, "in a browser: ")
	page := find(t, lastLine(out), `(http://localhost:\d+/)$`)
	if status, body := get(t, http.DefaultClient, page, ""); status != http.StatusOK || !strings.Contains(body, `<div id="root">`) {
		t.Errorf("%d %s", status, body)
	}
	resp, err := http.Post(page+"demo/token", "application/json", strings.NewReader(`{"person": "alice"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var signedIn struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&signedIn); err != nil {
		t.Fatal(err)
	}
	if status, body := get(t, http.DefaultClient, page+"v1/shapes/documents?offset=-1", signedIn.Token); status != http.StatusOK || !strings.Contains(body, "Comet pitch") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := get(t, http.DefaultClient, page+"demo/me", signedIn.Token); status != http.StatusOK || !strings.Contains(body, `{"id":"comet","name":"Comet","manages":true}`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := get(t, http.DefaultClient, page+"v1/grants/document_actions?offset=-1", signedIn.Token); status != http.StatusOK || !strings.Contains(body, `"edit":"true","share":"true"`) {
		t.Errorf("%d %s", status, body)
	}
	s.end(t)
}

func TestTheDatabaseOfARealElectricIsAskedFor(t *testing.T) {
	electric := start(t, nil)
	base := find(t, electric.out.until(t, "in a browser: "), `Electric +(http\S+),`)
	s := start(t, []string{"ELECTRIC_URL=" + base})
	if out := s.out.until(t, "DATABASE_URL"); strings.Contains(out, "in a browser: ") {
		t.Errorf("a page without rows: %s", out)
	}
	s.end(t)
	o := start(t, []string{"ELECTRIC_URL=" + base, "DATABASE_URL=postgres://nobody@127.0.0.1:1/none"})
	if err := <-o.done; err == nil || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("an unusable database: %v", err)
	}
	electric.end(t)
}

func TestAWorldOfOnesOwnHasNoPage(t *testing.T) {
	s := start(t, nil, "--sql", writeFile(t, "a.sql", "CREATE TABLE documents (id uuid PRIMARY KEY, project_id text, title text, body text, tags text[], updated_at timestamptz, archived bool); CREATE TABLE projects (id text PRIMARY KEY, name text, updated_at timestamptz); CREATE TABLE salaries (id uuid PRIMARY KEY, person text, amount int8, currency text);"))
	base := find(t, s.out.until(t, "Ctrl-C"), `shapegate +(http\S+)`)
	if status, _ := get(t, http.DefaultClient, base+"/", ""); status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
	s.end(t)
	if out := s.out.lines(); strings.Contains(out, "in a browser") {
		t.Errorf("%s", out)
	}
}
