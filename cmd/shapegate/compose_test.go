package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// composeService is what the tests below look at.
type composeService struct {
	Image       string
	Build       string
	Command     []string
	Environment map[string]string
	Ports       []string
	Healthcheck *struct{ Test []string }
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
}

func composeServices(t *testing.T) map[string]composeService {
	t.Helper()
	var file struct{ Services map[string]composeService }
	if err := yaml.Unmarshal(read(t, "../../docker-compose.yml"), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Services) == 0 {
		t.Fatal("no services")
	}
	return file.Services
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var reference = regexp.MustCompile(`\$\{([A-Z_]+)(:[?-][^}]*)?\}`)

func TestComposePinsEveryImage(t *testing.T) {
	services := composeServices(t)
	if got := services["electric"].Image; got != "electricsql/electric:1.7.12" {
		t.Errorf("Electric is %s; what is known of it was seen on 1.7.12", got)
	}
	for name, service := range services {
		if _, tag, ok := strings.Cut(service.Image, ":"); !ok || tag == "latest" || service.Build == "" && !strings.Contains(tag, ".") {
			t.Errorf("%s: %s is not pinned", name, service.Image)
		}
	}
}

// A client that reaches Electric or SpiceDB past shapegate is asked for no permission.
func TestComposePublishesShapegateAloneAndToThisMachine(t *testing.T) {
	for name, service := range composeServices(t) {
		want := []string(nil)
		if name == "shapegate" {
			want = []string{"127.0.0.1:8080:8080"}
		}
		if !slices.Equal(service.Ports, want) {
			t.Errorf("%s publishes %v, want %v", name, service.Ports, want)
		}
	}
}

func TestComposeSetsWhatShapegateKnows(t *testing.T) {
	known := map[string]bool{}
	for _, v := range new(settings).variables() {
		known[v.name] = true
	}
	for name, service := range composeServices(t) {
		if service.Build == "" {
			continue
		}
		env := map[string]string{}
		for variable, value := range service.Environment {
			if !known[variable] {
				t.Errorf("%s: shapegate does not know %s", name, variable)
			}
			env[variable] = reference.ReplaceAllString(value, strings.Repeat("0", 64))
		}
		delete(env, "SHAPEGATE_CORS_ORIGINS") // it has a value of its own in .env
		s, err := loadSettings(t, env)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		needs := []string{"SPICEDB_ENDPOINT", "SPICEDB_TOKEN"}
		if name == "shapegate" {
			needs = append(needs, "SHAPEGATE_SECRET", "SHAPEGATE_JWT_SECRET", "ELECTRIC_URL", "ELECTRIC_SECRET", "REDIS_URL")
		}
		if err := s.require(needs...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Secrets come from .env alone, which the example explains.
func TestComposeTakesSecretsFromTheEnvironment(t *testing.T) {
	example := map[string]string{}
	for line := range strings.Lines(string(read(t, "../../.env.example"))) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			example[name] = value
		}
	}
	used := map[string]bool{}
	for name, service := range composeServices(t) {
		for variable, value := range service.Environment {
			isSecret := regexp.MustCompile(`SECRET|PASSWORD|TOKEN|KEY|AUTH`).MatchString(variable)
			matches := reference.FindAllStringSubmatch(value, -1)
			if isSecret && (len(matches) != 1 || matches[0][0] != value) {
				t.Errorf("%s: %s is not taken from .env as it is", name, variable)
			}
			for _, m := range matches {
				used[m[1]] = true
				if _, ok := example[m[1]]; !ok {
					t.Errorf("%s: .env.example does not have %s", name, m[1])
				}
				if example[m[1]] == "" && m[2] != ":?see .env.example" {
					t.Errorf("%s: an empty %s would go unnoticed", name, m[1])
				}
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(example)); !slices.Equal(got, want) {
		t.Errorf("docker-compose.yml uses %v, .env.example has %v", got, want)
	}
}

func TestComposeWaitsForWhatIsReady(t *testing.T) {
	services := composeServices(t)
	for name, service := range services {
		for other, on := range service.DependsOn {
			dependency, ok := services[other]
			want := "service_completed_successfully"
			if dependency.Healthcheck != nil {
				want = "service_healthy"
			}
			if !ok || on.Condition != want {
				t.Errorf("%s waits for %s to be %s, want %s", name, other, on.Condition, want)
			}
		}
	}
}

// The jobs run commands that exist, with flags that exist.
func TestComposeCommandsExist(t *testing.T) {
	for name, service := range composeServices(t) {
		if service.Build == "" || len(service.Command) == 0 {
			continue
		}
		root := newRootCommand(nil)
		cmd, args, err := root.Find(service.Command)
		if err != nil || !cmd.Runnable() || cmd == root {
			t.Errorf("%s: %v: %v", name, service.Command, err)
			continue
		}
		if err := cmd.ParseFlags(args); err != nil {
			t.Errorf("%s: %v: %v", name, service.Command, err)
		}
	}
}
