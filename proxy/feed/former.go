package feed

import "slices"

// former are handles of logs that Electric does not have any more. Readers that come
// with one of them are told so without asking Electric. It remembers the latest ones,
// mostFormer at most.
type former []string

const mostFormer = 16

// add adds a handle. The empty one is of no log and is left out.
func (f *former) add(handle string) {
	if handle == "" {
		return
	}
	if *f = append(*f, handle); len(*f) > mostFormer {
		*f = (*f)[1:]
	}
}

// remove removes a handle, since Electric has the log after all.
func (f *former) remove(handle string) {
	*f = slices.DeleteFunc(*f, func(h string) bool { return h == handle })
}

func (f former) has(handle string) bool { return slices.Contains(f, handle) }
