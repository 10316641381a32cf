package schema

// key is a key that a mapping of shapes.yaml may have. The parser and the JSON Schema
// read the same tables of keys, so that neither knows a key which the other does not.
type key struct {
	name     string
	required bool
	meaning  string // for people, in plain text: editors show it
	value    rules  // of what stands at the key
}

// keys are all the keys of one kind of mapping.
type keys []key

func (k keys) names() []string {
	names := make([]string, len(k))
	for i := range k {
		names[i] = k[i].name
	}
	return names
}

// The words of keys that take one of some. The first is the default.
var (
	consistencies = []string{"bounded", "strict"}
	firstReads    = []string{"snapshot", "stored"}
	narrowings    = []string{"served", "refused"}
)

var fileKeys = keys{
	{"shapes", true, "The shapes, by name. Each is served at /v1/shapes/<name>. A name has lower-case letters, digits, _ and -.",
		namedRules(matching(shapeName), shapeKeys.rules(storedNeedsAGateAlone)).nonEmpty()},
	{"grants", false, "Collections of permissions, by name. Each is served at /v1/grants/<name>: a row for each object on which the person holds any of the permissions. No shape has the same name.",
		namedRules(matching(shapeName), grantsKeys.rules(nil)).nonEmpty()},
}

var grantsKeys = keys{
	{"resource", true, "The definition in SpiceDB's schema, as in document.", matching(definitionName)},
	{"permissions", true, "The permissions of the definition: one boolean column each. 16 at most.", permissionRules},
	{"column_type", false, "The type of the column id: that of the table's key which it is joined with. Ids that are no value of the type are left out.", oneOf(columnTypes)},
	{"params", false, "Names that a client must give a value for in the query, each with {}, as for a shape. The gate's resource speaks of it as $project.", paramRules},
	{"gate", false, "A permission on one object. Who does not hold it is answered 403.", requirementKeys.rules(nil)},
	{"context", false, "Values for the parameters of caveats, as for a shape.", namedRules(matching(caveatParam), contextRules)},
	{"consistency", false, "bounded (default): from what SpiceDB's watch keeps current. strict: SpiceDB is asked at full consistency for each answer.", oneOf(consistencies)},
}

var shapeKeys = keys{
	{"table", true, `The Postgres table: name or schema.name. Capitals are quoted, as in '"Rec Caps"'.`, matchingText(tablePattern)},
	{"columns", true, "What clients receive, and all that they may name in a where or order_by. The primary key is among them.", columnRules},
	{"params", false, "Names that a client must give a value for in the query, each with {}: params: {project: {}} is for ?project=atlas. A where or a resource speaks of it as $project.", paramRules},
	{"where", false, "A static restriction in SQL. It may speak of columns that are not listed, and of $param.", rules{"type": "string", "maxLength": maxWhere}},
	{"authorize", true, "Who may see what. A shape needs a gate or a filter: nothing is public by accident.", authorizeKeys.rules(gateOrFilter)},
	{"consistency", false, "bounded (default): decided from grants that SpiceDB's watch keeps current, never older than SHAPEGATE_MAX_STALENESS. strict: SpiceDB is asked at full consistency at every request, and about each row of the log once more before it is sent.", oneOf(consistencies)},
	{"first_read", false, "snapshot (default): a first read is a snapshot of the present rows. stored: Electric's stored log, which costs Postgres nothing and has the past, deleted rows too. Only for a shape with a gate alone.", oneOf(firstReads)},
	{"narrowing", false, "Whether a client may add where, params or columns to the query of a log. served (default): yes. refused: it is answered 400. Say refused if clients must not guess at the contents of hidden rows.", oneOf(narrowings)},
}

var authorizeKeys = keys{
	{"gate", false, "A permission on one object. Who does not hold it is answered 403.", requirementKeys.rules(nil)},
	{"filter", false, "A row is visible if the column of any entry holds the id of an object on which the person has the permission. NULL is never visible.", listOf(filterKeys.rules(nil))},
	{"unrestricted", false, "A permission on one object. Who holds it sees every row of the shape. Only with a filter.", requirementKeys.rules(nil)},
	{"context", false, "Values for the parameters of caveats. A value that is missing makes the caveat conditional, which is a denial.", namedRules(matching(caveatParam), contextRules)},
}

var requirementKeys = keys{
	{"resource", true, "The object: type:id, or type:$param.", matchingText(resourcePattern)},
	{"permission", true, "The permission of the object's definition.", matching(relationName)},
}

var filterKeys = keys{
	{"resource", true, "The definition in SpiceDB's schema, as in document.", matching(definitionName)},
	{"permission", true, "The permission of the definition.", matching(relationName)},
	{"column", true, "The column that holds the object's id: uuid, text, varchar, int2, int4 or int8, and not a domain over one of them. It is among the shape's columns.", matchingText(identifierPattern)},
}

var constantKeys = keys{
	{"value", true, "A constant: what JSON can say, with integers up to 2^53.", rules{}},
}
