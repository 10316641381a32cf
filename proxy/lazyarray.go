package proxy

// lazyArray is an answer with a part of the log that begins with its first message.
type lazyArray struct {
	x    *exchange
	part *logPart
	out  *arrayWriter // nil: it has not begun
}

func (l *lazyArray) begun() bool { return l.out != nil }

// begin sends status and headers. What the part had before may have been left out.
func (l *lazyArray) begin() error {
	if l.part.guard.regained {
		return errUnsettled
	}
	if err := l.part.guard.leaveOut(&l.x.client); err != nil {
		return err
	}
	l.out = beginArray(l.x.w, l.x.head(l.part.part))
	return nil
}

func (l *lazyArray) message(m []byte) error {
	if l.out == nil {
		if err := l.begin(); err != nil {
			return err
		}
	}
	return l.out.add(m)
}

// end ends an answer that has begun.
func (l *lazyArray) end() error {
	if m := l.part.end(); m != nil {
		_ = l.out.add(m)
	}
	return l.out.end()
}
