package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// composeService is what the tests below look at.
type composeService struct {
	Image       string
	Build       *struct{ Context, Target string }
	Command     []string
	Environment map[string]string
	Ports       []string
	Volumes     []string
	Tmpfs       []string
	Profiles    []string
	Restart     string
	Logging     struct{ Options map[string]string }
	Healthcheck *struct{ Test []string }
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	StopGrace   string                                `yaml:"stop_grace_period"`
}

// isOurs reports whether the service runs the production image.
func (s composeService) isOurs() bool { return s.Image == "shapegate:local" }

func composeServices(t *testing.T) map[string]composeService {
	t.Helper()
	var file struct{ Services map[string]composeService }
	// A key beside << replaces the one that is merged.
	if err := yaml.UnmarshalWithOptions(read(t, "../../docker-compose.yml"), &file, yaml.AllowDuplicateMapKey()); err != nil {
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

var reference = regexp.MustCompile(`\$\{([A-Z0-9_]+)(:[?-][^}]*)?\}`)

func TestComposePinsEveryImage(t *testing.T) {
	services := composeServices(t)
	if got := services["electric"].Image; got != "electricsql/electric:1.7.12" {
		t.Errorf("Electric is %s; what is known of it was seen on 1.7.12", got)
	}
	for name, service := range services {
		if _, tag, ok := strings.Cut(service.Image, ":"); !ok || tag == "latest" || tag != "local" && strings.Count(tag, ".") == 0 {
			t.Errorf("%s: %s is not pinned", name, service.Image)
		}
	}
}

// Of two services that build one image, either could be the one that is run.
func TestComposeBuildsEachImageOnce(t *testing.T) {
	by := map[string]string{}
	services := composeServices(t)
	for name, service := range services {
		if service.Build == nil {
			continue
		}
		if other := by[service.Image]; other != "" {
			t.Errorf("%s and %s both build %s", name, other, service.Image)
		}
		by[service.Image] = name
		if !strings.Contains(string(read(t, "../../Dockerfile")), " AS "+service.Build.Target+"\n") {
			t.Errorf("%s: the Dockerfile has no target %s", name, service.Build.Target)
		}
	}
	for name, service := range services {
		if strings.HasSuffix(service.Image, ":local") && by[service.Image] == "" {
			t.Errorf("%s: nothing builds %s", name, service.Image)
		}
	}
}

// A client that reaches Electric or SpiceDB past shapegate is asked for no permission. So
// clients reach the proxy alone, and operators the metrics and what shows them.
func TestComposePublishesToThisMachineAlone(t *testing.T) {
	want := map[string][]string{
		"caddy":       {"127.0.0.1:${HTTP_PORT:-8080}:8080", "127.0.0.1:${HTTPS_PORT:-8443}:8443"},
		"shapegate":   {"127.0.0.1:${METRICS_PORT:-9090}:9090"},
		"shapegate-2": {"127.0.0.1:${METRICS_PORT_2:-9091}:9090"},
		"prometheus":  {"127.0.0.1:${PROMETHEUS_PORT:-9092}:9090"},
		"grafana":     {"127.0.0.1:${GRAFANA_PORT:-3001}:3000"},
	}
	for name, service := range composeServices(t) {
		if !slices.Equal(service.Ports, want[name]) {
			t.Errorf("%s publishes %v, want %v", name, service.Ports, want[name])
		}
	}
}

// What is mounted is a folder: an editor that saves by renaming leaves a mounted file as it
// was. Postgres reads demo.sql once.
func TestComposeMountsFolders(t *testing.T) {
	for name, service := range composeServices(t) {
		for _, volume := range service.Volumes {
			from, _, _ := strings.Cut(reference.ReplaceAllString(volume, "../../schema"), ":")
			if !strings.HasPrefix(from, ".") {
				continue
			}
			info, err := os.Stat(filepath.Join("../..", strings.TrimPrefix(from, "../../")))
			if err != nil || !info.IsDir() && name != "postgres" {
				t.Errorf("%s mounts %s, which is no folder: %v", name, volume, err)
			}
		}
	}
}

// A disk does not fill while nobody looks, and what ends is not restarted or asked for its
// health.
func TestComposeLogsAreBounded(t *testing.T) {
	for name, service := range composeServices(t) {
		if service.Logging.Options["max-size"] == "" || service.Logging.Options["max-file"] == "" {
			t.Errorf("%s: the log grows without end", name)
		}
		isJob := service.Restart == "no"
		if isJob == (service.Healthcheck != nil) {
			t.Errorf("%s: a job has a health check, or a service has none", name)
		}
		if strings.Contains(service.Image, "spicedb") && !slices.Contains(service.Command, "--log-level=warn") {
			t.Errorf("%s logs each look for changes", name)
		}
	}
	if text := string(read(t, "../../Dockerfile")); strings.Contains(text, "HEALTHCHECK") || strings.HasPrefix(text, "# syntax") {
		t.Error("the Dockerfile has a health check, which jobs have then, too, or needs a registry to be read")
	}
}

func TestComposeServicesAreAskedToEndInTime(t *testing.T) {
	services := composeServices(t)
	for _, name := range []string{"electric", "shapegate", "shapegate-2"} {
		if got := services[name].StopGrace; got != "30s" {
			t.Errorf("%s has %q", name, got)
		}
	}
}

// The replicas are the same but for their ports: any of them may answer any request.
func TestComposeReplicasAreTheSame(t *testing.T) {
	services := composeServices(t)
	one, two := services["shapegate"], services["shapegate-2"]
	one.Build, one.Ports, two.Ports = nil, nil, nil
	if diff := cmp.Diff(one, two); diff != "" {
		t.Error(diff)
	}
}

// A second start must not bring a revoked grant back.
func TestComposeSeedsAnEmptySpiceDBAlone(t *testing.T) {
	for name, service := range composeServices(t) {
		for _, word := range service.Command {
			if word == "touch" || word == "schema" {
				t.Errorf("%s writes to SpiceDB at every start: %v", name, service.Command)
			}
		}
	}
	if seed := composeServices(t)["seed"]; !slices.Equal(seed.Command, []string{"seed"}) || seed.Image != "shapegate-demo:local" {
		t.Errorf("%+v", seed)
	}
}

func TestComposeSetsWhatShapegateKnows(t *testing.T) {
	known := map[string]bool{}
	for _, v := range new(settings).variables() {
		known[v.name] = true
	}
	for name, service := range composeServices(t) {
		if !service.isOurs() {
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
		if err := s.require("SPICEDB_ENDPOINT", "SPICEDB_TOKEN", "SHAPEGATE_SECRET", "SHAPEGATE_JWT_SECRET", "ELECTRIC_URL", "ELECTRIC_SECRET", "REDIS_URL"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Secrets come from .env alone, which the example explains.
func TestComposeTakesSecretsFromTheEnvironment(t *testing.T) {
	example := settingsOf(string(read(t, "../../.env.example")))
	used := map[string]bool{}
	for name, service := range composeServices(t) {
		for variable, value := range service.Environment {
			isSecret := regexp.MustCompile(`SECRET|PASSWORD|TOKEN|KEY|AUTH`).MatchString(variable) && value != "true"
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
		// What is no secret has the same default in both files.
		for _, m := range reference.FindAllStringSubmatch(strings.Join(append(service.Ports, service.Volumes...), " "), -1) {
			if used[m[1]] = true; m[2] != ":-"+example[m[1]] {
				t.Errorf("%s: the default of %s is %q, and %q in .env.example", name, m[1], m[2], example[m[1]])
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
