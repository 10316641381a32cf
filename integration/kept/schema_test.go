package kept_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// world is a random schema of a fixed set of definitions, and what may be written
// under it. Its relations stay as they are; its permissions can be drawn anew.
type world struct {
	r *rand.Rand

	subjects map[string][]string // by relation, "doc#viewer": its subject types
	order    []string            // of the relations
	view     string              // doc's permissions
	edit     string
	folders  string // folder's

	written map[string]bool // the relationships that exist
}

// More people than grantcache checks one by one where one object changed for all.
const people, groups, folders, docs = 10, 3, 3, 4

func newWorld(r *rand.Rand) *world {
	w := &world{r: r, subjects: make(map[string][]string), written: make(map[string]bool)}
	some := func(relation string, types ...string) {
		picked := []string{types[r.IntN(len(types))]}
		for _, t := range types {
			if t != picked[0] && r.IntN(2) == 0 {
				picked = append(picked, t)
			}
		}
		w.subjects[relation] = picked
		w.order = append(w.order, relation)
	}
	some("user#manager", "user")
	some("group#member", "user", "group#member")
	some("folder#parent", "folder")
	some("folder#viewer", "user", "group#member", "user:*", "user with cleared")
	some("doc#folder", "folder")
	some("doc#viewer", "user", "group#member", "user:*", "user with cleared", "folder#view")
	some("doc#banned", "user", "group#member", "user:*")
	some("doc#owner", "user")
	some("doc#sibling", "doc")
	w.drawPermissions()
	return w
}

// drawPermissions makes other permissions of the same relations.
func (w *world) drawPermissions() {
	w.view, w.edit = w.expression(3), w.expression(2)
	w.folders = []string{"viewer", "viewer + parent->view", "viewer + parent->viewer"}[w.r.IntN(3)]
}

func (w *world) expression(depth int) string {
	leaves := []string{
		"viewer", "viewer", "owner", "banned", "folder->view", "folder.any(view)", "folder.all(view)", "owner->boss", "sibling->viewer",
	}
	if depth == 0 || w.r.IntN(4) == 0 {
		return leaves[w.r.IntN(len(leaves))]
	}
	op := []string{"+", "+", "&", "-"}[w.r.IntN(4)]
	return "(" + w.expression(depth-1) + " " + op + " " + w.expression(depth-1) + ")"
}

func (w *world) schema() string {
	var b strings.Builder
	b.WriteString("caveat cleared(level int, needed int) {\n\tlevel >= needed\n}\n")
	for _, definition := range []string{"user", "group", "folder", "doc"} {
		b.WriteString("definition " + definition + " {\n")
		for _, relation := range w.order {
			if name, ok := strings.CutPrefix(relation, definition+"#"); ok {
				b.WriteString("\trelation " + name + ": " + strings.Join(w.subjects[relation], " | ") + "\n")
			}
		}
		switch definition {
		case "user":
			b.WriteString("\tpermission boss = manager + manager->boss\n")
		case "folder":
			b.WriteString("\tpermission view = " + w.folders + "\n")
		case "doc":
			b.WriteString("\tpermission view = " + w.view + "\n\tpermission edit = " + w.edit + "\n")
		}
		b.WriteString("}\n")
	}
	b.WriteString("definition marker {\n\trelation viewer: user\n\tpermission view = viewer\n}\n")
	b.WriteString("definition shapegate_canary {\n\trelation beat: shapegate_canary\n}\n")
	return b.String()
}

var sizes = map[string]int{"user": people, "group": groups, "folder": folders, "doc": docs}

// relationship draws one that may be written. What recurses goes one way only, so
// that it ends.
func (w *world) relationship() string {
	relation := w.order[w.r.IntN(len(w.order))]
	definition, name, _ := strings.Cut(relation, "#")
	from := w.r.IntN(sizes[definition])
	resource := fmt.Sprintf("%s:%s%d", definition, definition[:1], from)
	types := w.subjects[relation]
	subject := types[w.r.IntN(len(types))]
	if subject == "user:*" {
		return resource + "#" + name + "@user:*"
	}
	typ, rest, _ := strings.Cut(subject, "#")
	typ, caveat, _ := strings.Cut(typ, " with ")
	to := w.r.IntN(sizes[typ])
	if typ == definition {
		if from == sizes[typ]-1 {
			return w.relationship()
		}
		to = from + 1 + w.r.IntN(sizes[typ]-from-1)
	}
	text := fmt.Sprintf("%s#%s@%s:%s%d", resource, name, typ, typ[:1], to)
	if rest != "" {
		text += "#" + rest
	}
	if caveat != "" {
		text += fmt.Sprintf(`[%s:{"needed":%d}]`, caveat, w.r.IntN(4))
	}
	return text
}
