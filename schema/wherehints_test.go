package schema_test

import (
	"strings"
	"testing"

	"github.com/shapegate/shapegate/schema"
)

// What Electric 1.7.12 indexes, as its own module Filter.WhereCondition has it.
func TestWhereHints(t *testing.T) {
	const none, noParam = "Electric has no index for this where", "index for parts of this where that have no param"
	for where, want := range map[string]string{
		"archived = false":                           "",
		"false = archived":                           "",
		"tags @> '{a}'":                              "",
		"'{a}' <@ tags":                              "",
		"'a' = ANY(tags)":                            "",
		"title = 'a' || 'b'":                         "",
		"title IN ('a', 'b')":                        "",
		"title > 'a' AND archived = false":           "",
		"project_id = $project":                      "",
		"project_id = $project AND archived":         "",
		"archived":                                   none,
		"NOT archived":                               none,
		"title > 'a'":                                none,
		"title LIKE 'a%'":                            none,
		"title <> 'a'":                               none,
		"title NOT IN ('a')":                         none,
		"title = project_id":                         none,
		"lower(title) = 'a'":                         none,
		"title = ANY('{a,b}')":                       none,
		"title IS NOT DISTINCT FROM 'a'":             none,
		"archived = false OR title = 'a'":            none, // it is sent with AND true, for the parentheses
		"title IN ('a', 'b') AND updated_at > '1'":   none, // an OR beside an AND
		"body @> '{}'::jsonb":                        none,
		"archived = false AND title LIKE $project":   noParam,
		"archived = false AND project_id < $project": noParam,
	} {
		params := ""
		if strings.Contains(where, "$project") {
			params = "    params: {project: {}}\n"
		}
		shapes := parse(t, "shapes:\n  s:\n    table: documents\n    columns: [id]\n"+params+"    where: \""+where+"\"\n    authorize:\n      gate: {resource: \"project:x\", permission: view}\n")
		hints := schema.WhereHints(shapes.Shapes)
		switch {
		case want == "" && len(hints) > 0:
			t.Errorf("%s: %v", where, hints)
		case want != "" && (len(hints) != 1 || !strings.Contains(hints[0].Error(), want) || !strings.HasPrefix(hints[0].Error(), "shapes.yaml:")):
			t.Errorf("%s: %v, want %s", where, hints, want)
		}
	}
}
