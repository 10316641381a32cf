package feed

// answers are the answers that the cohorts of a feed share. Each cohort has one, its
// latest. They count their memory, and are all to be forgotten when there is too much of
// it. Readers that have an answer keep it. The lock of the tail guards them.
type answers struct {
	memory account
	most   int // bytes
}

// latest is the answer of a cohort. It is filled without the lock, so that its size is
// known only later.
type latest struct {
	answer *Answer // nil: there is none
	of     span
	size   int // bytes, as they were counted; 0: not counted yet
}

// begin replaces the answer of a cohort by an empty one.
func (x *answers) begin(a *Cohort, of span) *Answer {
	x.forget(a)
	a.latest = latest{answer: new(Answer), of: of}
	return a.latest.answer
}

// of returns the answer of a cohort if it is of these batches, or else begins it.
func (x *answers) of(a *Cohort, of span) *Answer {
	if a.latest.answer != nil && a.latest.of == of {
		return a.latest.answer
	}
	return x.begin(a, of)
}

// count counts an answer that was filled, once. It reports whether there is too much. An
// answer that is not the latest of its cohort does not count.
func (x *answers) count(a *Cohort, filled *Answer) (tooMuch bool) {
	if a.latest.answer == filled && a.latest.size == 0 {
		a.latest.size = filled.size()
		x.memory.add(a.latest.size)
	}
	return x.memory.size() > x.most
}

// forget forgets the answer of a cohort.
func (x *answers) forget(a *Cohort) {
	x.memory.add(-a.latest.size)
	a.latest = latest{}
}
