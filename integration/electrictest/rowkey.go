package electrictest

import "strings"

// rowKey spells the key of a row as snapshots do (recording 12), as JSON.
func (l *layout) rowKey(cells []cell) string { return l.keyAfter(l.rel.String(), cells) }

// logKey spells the key of a row as the log does (recordings 14 and 15), as JSON: by the
// partition that the row is in, with every . and / of a name doubled.
func (l *layout) logKey(cells []cell, part *partition) string {
	if part != nil {
		return l.keyAfter(part.rel.logString(), cells)
	}
	return l.keyAfter(l.rel.logString(), cells)
}

func (l *layout) keyAfter(name string, cells []cell) string {
	b := []byte(name)
	for _, i := range l.key {
		if cells[i].null() {
			b = append(b, "/_"...)
			continue
		}
		b = appendKeyPart(b, cells[i].text)
	}
	return string(appendJSONString(make([]byte, 0, len(b)+8), string(b)))
}

func appendKeyPart(b []byte, text string) []byte {
	b = append(b, '/', '"')
	if strings.IndexByte(text, '/') >= 0 {
		text = strings.ReplaceAll(text, "/", "//")
	}
	b = append(b, text...)
	return append(b, '"')
}
