package electrictest

import "sort"

// messageLog is what has happened to a shape since its snapshot. Messages are added
// and never changed, so that a part of it can be sent without the lock.
type messageLog struct {
	messages  []message
	end       offset
	chunks    []offset // where the closed chunks end
	openBytes int      // of the open chunk
}

// message is one message of a log, encoded.
type message struct {
	offset offset
	json   []byte
}

// add adds a message, and closes the chunk that it fills.
func (l *messageLog) add(m message, chunkBytes int) {
	l.messages = append(l.messages, m)
	l.end = m.offset
	if l.openBytes += len(m.json); l.openBytes >= chunkBytes {
		l.chunks = append(l.chunks, m.offset)
		l.openBytes = 0
	}
}

// endUntil returns where the log ends as far as an LSN.
func (l *messageLog) endUntil(limit int64) offset {
	if l.end.lsn <= limit {
		return l.end
	}
	n := sort.Search(len(l.messages), func(i int) bool { return l.messages[i].offset.lsn > limit })
	if n == 0 {
		return snapshotEnd
	}
	return l.messages[n-1].offset
}

// chunkEnd returns where the chunk ends that follows o, as far as an LSN.
func (l *messageLog) chunkEnd(o offset, limit int64) offset {
	i := sort.Search(len(l.chunks), func(i int) bool { return o.less(l.chunks[i]) })
	if i < len(l.chunks) && l.chunks[i].lsn <= limit {
		return l.chunks[i]
	}
	return l.endUntil(limit)
}

// between returns the messages after from, to to.
func (l *messageLog) between(from, to offset) []message {
	after := func(o offset) int {
		return sort.Search(len(l.messages), func(i int) bool { return o.less(l.messages[i].offset) })
	}
	if i, j := after(from), after(to); i < j {
		return l.messages[i:j]
	}
	return nil
}
