package electrictest

// snapshot is the rows of a shape as they were when it was made, cut into chunks. It
// never changes.
type snapshot struct {
	rows      []*row
	chunkEnds []int  // chunk i ends before row chunkEnds[i]
	end       string // the snapshot-end message, which follows in the last chunk
}

// takeSnapshot reads the rows of a table that are in a shape. fence says which
// transactions they are the outcome of. The caller must hold the database's lock.
func takeSnapshot(d *definition, fence string, chunkBytes int) snapshot {
	s := snapshot{end: `{"headers":{"control":"snapshot-end",` + fence + `}}`}
	size := 0
	if !d.changesOnly {
		for _, r := range d.table.rows.view().all() {
			if !d.where.holds(r) {
				continue
			}
			s.rows = append(s.rows, r)
			if size += d.snapshotRowLen(r) + 1; size >= chunkBytes {
				s.chunkEnds = append(s.chunkEnds, len(s.rows))
				size = 0
			}
		}
	}
	// The snapshot-end message opens a chunk of its own where a chunk was just
	// closed.
	s.chunkEnds = append(s.chunkEnds, len(s.rows))
	return s
}

// lastChunk is the number of the last chunk.
func (s *snapshot) lastChunk() int64 { return int64(len(s.chunkEnds) - 1) }

// chunk returns the rows of a chunk and, of the last one, the message that ends it.
func (s *snapshot) chunk(n int64) (rows []*row, control string) {
	start := 0
	if n > 0 {
		start = s.chunkEnds[n-1]
	}
	if n == s.lastChunk() {
		control = s.end
	}
	return s.rows[start:s.chunkEnds[n]], control
}
