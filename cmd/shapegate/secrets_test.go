package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// settingsOf are the values of a file of settings. The last line of a name counts, as it
// does for Docker.
func settingsOf(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			values[name] = value
		}
	}
	return values
}

func TestSecretsFillTheExample(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	example := "../../.env.example"
	got := shapegate(t, nil, "", "secrets", file, "--example", example)
	got.expect(t, 0, "wrote "+file, "")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
	before, after := settingsOf(string(read(t, example))), settingsOf(string(read(t, file)))
	seen := map[string]bool{}
	for name, value := range after {
		was, listed := before[name]
		switch {
		case !listed, was != "" && was != value:
			t.Errorf("%s=%s, in the example %q", name, value, was)
		case was == "" && (seen[value] || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(value)):
			t.Errorf("%s=%s", name, value)
		case strings.Contains(got.stdout+got.stderr, value) && was == "":
			t.Errorf("%s is shown", name)
		}
		seen[value] = true
	}
	if len(after) != len(before) {
		t.Errorf("%d settings of %d", len(after), len(before))
	}
}

// Other secrets than the first lock everybody out of the volumes.
func TestSecretsThatAreThereStay(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, ".env")
	for name, text := range map[string]string{".env": "# mine\nA=1\nexport B='two'\nC=\nE: five\nD=4", ".env.example": "A=\nB=\nC=\nD=\nE=\nF=\nG=7\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shapegate(t, nil, "", "secrets", file).expect(t, 0, "what it lacked: C, F", "")
	first := string(read(t, file))
	if !regexp.MustCompile(`^# mine\nA=1\nexport B='two'\nC=\nE: five\nD=4\nC=[0-9a-f]{64}\nF=[0-9a-f]{64}\n$`).MatchString(first) {
		t.Errorf("%s", first)
	}
	shapegate(t, nil, "", "secrets", file).expect(t, 0, "nothing was changed", "")
	if second := string(read(t, file)); second != first {
		t.Errorf("a second run changed %s", cmp.Diff(first, second))
	}
}

// An empty value may be spelled with quotes, and have a remark behind it: a secret that was
// put behind these would be none.
func TestASecretStandsWhereTheValueDoes(t *testing.T) {
	for line, want := range map[string]string{
		"A=\n": "A=s\n", "A=": "A=s\n", "A= \r\n": "A=s\n", "export A=\n": "export A=s\n",
		"A=\"\"\n": "A=s\n", "A=''\n": "A=s\n", "A= # a remark\n": "A=s # a remark\n", "A=\"\" # a remark\n": "A=s # a remark\n",
		"A=1\n": "A=1\n", "# A=\n": "# A=\n",
	} {
		if got := filled(line, func() string { return "s" }); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestSecretsNeedAList(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	shapegate(t, nil, "", "secrets", file).expect(t, exitNoAnswer, "", "; run it in the folder of docker-compose.yml, or name the list with --example")
	shapegate(t, nil, "", "secrets", file, "--example", write(t, "none", "A=1\n")).expect(t, exitNoAnswer, "", "no line of the form NAME=")
	if _, err := os.Stat(file); err == nil {
		t.Error("a file was made")
	}
}

func TestSettingsAreReadAsDockerReadsThem(t *testing.T) {
	for line, isEmpty := range map[string]bool{
		"A=": true, "A= ": true, "A=\r": true, `A=""`: true, "A=''": true, "A= # none": true, "export A=": true, "A:": true,
		"A=1": false, `A="1"`: false, "A='1'": false, " A = 1": false, "A=1 # one": false, "export A=1": false, "A: 1": false,
		"# A=": false, "": false, "A": false,
	} {
		if got := len(emptyIn(line+"\nB=2\n")) > 0; got != isEmpty {
			t.Errorf("%q: empty is %v", line, got)
		}
	}
	if got := emptyIn("A=\n\nB=\n"); !slices.Equal(got, []string{"A", "B"}) {
		t.Errorf("%v", got)
	}
}
