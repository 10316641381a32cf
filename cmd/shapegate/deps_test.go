package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestTheProductionBinaryLinksNoServerAndNoStandIn(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		for _, forbidden := range []string{
			"github.com/authzed/spicedb", "github.com/alicebob/miniredis",
			"github.com/shapegate/shapegate/integration", "github.com/shapegate/shapegate/schema/demo",
		} {
			if dep == forbidden || strings.HasPrefix(dep, forbidden+"/") {
				t.Errorf("it links %s", dep)
			}
		}
	}
}

// Postgres' driver is there for init alone: who embeds the gateway does not link it.
func TestTheGatewayLinksNoPostgresDriver(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../../proxy/gateway").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "github.com/jackc/pgx") {
		t.Error("it links pgx")
	}
}
