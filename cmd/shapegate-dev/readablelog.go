package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/shapegate/shapegate/schema"
)

// readableLog is a log that the first steps read.
type readableLog struct {
	url string
	def *schema.Guarded

	// valueOf returns a value that a param may have; "" if none is known.
	valueOf func(param string) string
}

func (g guide) ofShape(shape *schema.Shape) readableLog {
	return readableLog{g.url() + "/v1/shapes/" + shape.Name, &shape.Guarded, func(param string) string {
		return cmp.Or(g.requiredObject(&shape.Guarded, param), g.comparedValue(shape, param))
	}}
}

func (g guide) ofGrants(c *schema.Grants) readableLog {
	return readableLog{g.url() + "/v1/grants/" + c.Name, &c.Guarded, func(param string) string {
		return g.requiredObject(&c.Guarded, param)
	}}
}

// address begins the log's URL, with values of its params.
func (l readableLog) address() string {
	text := l.url + "?"
	for _, name := range l.def.Params {
		value := "$" + strings.ToUpper(name)
		if known := l.valueOf(name); known != "" {
			value = url.QueryEscape(known)
		}
		text += name + "=" + value + "&"
	}
	return text
}

// assignments are lines for the params of which no value is known.
func (l readableLog) assignments() (lines string) {
	for _, name := range l.def.Params {
		if l.valueOf(name) == "" {
			lines += fmt.Sprintf("%s=put-a-value-here # of the param %s of %s\n", strings.ToUpper(name), name, l.def.Name)
		}
	}
	return lines
}

// requiredObject returns the id of an object of the gate's type, or of unrestricted's, that
// the relationships name, if a param stands for it.
func (g guide) requiredObject(def *schema.Guarded, param string) string {
	for _, r := range []*schema.Requirement{def.Authorize.Gate, def.Authorize.Unrestricted} {
		if r == nil || r.Resource.Param != param {
			continue
		}
		if id := g.objectOf(r.Resource.Type); id != "" {
			return id
		}
	}
	return ""
}

// comparedValue returns a value that the stand-in has in the column which the shape's where
// compares with a param.
func (g guide) comparedValue(shape *schema.Shape, param string) string {
	if shape.Where == nil || g.table == nil {
		return ""
	}
	column := shape.Where.ComparedTo(param)
	if column == "" {
		return ""
	}
	_, rows, err := g.table.Query(`SELECT "` + strings.ReplaceAll(column, `"`, `""`) + `" FROM ` + shape.Table.String() + " LIMIT 1")
	if err != nil || len(rows) == 0 || rows[0][0] == nil {
		return ""
	}
	return *rows[0][0]
}
