package proxy

import "github.com/shapegate/shapegate/proxy/electric"

// A handle names the grants that its client was served. A subset or a stream may bring
// it rows of later ones, and leaves the handle as it is. This process knows, see extras;
// another one could not tell a client that has such rows from one that has not, and if
// its grants are again what they were, would leave it with rows that it lost.
//
// So the client tells, by its offset: a note in it says that it has what is beyond its
// handle. In a stream, notes also number what was told while the log stood still.

// came is the offset as the client sent it.
func (r *logRequest) came() electric.Offset {
	if !r.offset.IsPosition() {
		return r.offset
	}
	return r.offset.WithNote(r.note)
}

// isBeyond reports whether the client has what is beyond its handle.
func (r *logRequest) isBeyond() bool { return r.note != 0 }

// offsetFor is the offset of an answer that ends at a place: where the client keeps the
// handle that it came with, it keeps what is beyond that as well.
func (rd *reading) offsetFor(h handle, at electric.Offset) electric.Offset {
	if rd.isBeyond() && h.String() == rd.handle {
		return at.WithNote(rd.note)
	}
	return at
}

// nextNoted returns the position to tell next in a stream that told what is beyond its
// handle, after the last one that it told.
func nextNoted(last, at electric.Offset) electric.Offset {
	if last.WithNote(0).LSN() != at.LSN() {
		return at.WithNote(1)
	}
	return at.WithNote(min(last.Note()+1, electric.MaxNote))
}
