package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/shapegate/shapegate/authz/spicedb"
	"github.com/shapegate/shapegate/cmd/internal/environ"
	"github.com/shapegate/shapegate/proxy/electric"
)

// settings come from the environment, in the names that shapegate has, too.
type settings struct {
	listen string
	url    string // of the page, for the log; may be empty

	spicedb     spicedb.Config
	electric    electric.Config
	databaseURL string
	redisURL    string
	jwtSecret   string
	shapes      string // a file; empty: the demo's own
}

func readSettings(variables []string) (settings, error) {
	get := environ.Lookup(variables)
	insecure, err := strconv.ParseBool(cmp.Or(get("SPICEDB_INSECURE"), "false"))
	if err != nil {
		return settings{}, errors.New("SPICEDB_INSECURE is neither true nor false")
	}
	return settings{
		listen: cmp.Or(get("DEMO_LISTEN"), ":8080"),
		url:    get("DEMO_URL"),
		spicedb: spicedb.Config{
			Endpoint: get("SPICEDB_ENDPOINT"), Token: get("SPICEDB_TOKEN"), Insecure: insecure, CAFile: get("SPICEDB_CA_FILE"),
		},
		electric:    electric.Config{URL: get("ELECTRIC_URL"), Secret: get("ELECTRIC_SECRET")},
		databaseURL: get("DATABASE_URL"),
		redisURL:    get("REDIS_URL"),
		jwtSecret:   get("SHAPEGATE_JWT_SECRET"),
		shapes:      get("SHAPEGATE_SHAPES"),
	}, nil
}

// require returns an error that names those of the settings that have no value.
func require(values map[string]string, names ...string) error {
	var missing []string
	for _, name := range names {
		if values[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("not set: %s", strings.Join(missing, ", "))
	}
	return nil
}

func (s *settings) values() map[string]string {
	return map[string]string{
		"SPICEDB_ENDPOINT": s.spicedb.Endpoint, "SPICEDB_TOKEN": s.spicedb.Token, "ELECTRIC_URL": s.electric.URL,
		"DATABASE_URL": s.databaseURL, "REDIS_URL": s.redisURL, "SHAPEGATE_JWT_SECRET": s.jwtSecret,
	}
}
