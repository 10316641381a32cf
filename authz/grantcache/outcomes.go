package grantcache

// outcomes is what the end of a call means: readers who wait for it go on, those of an
// answer that changed are woken, and what is still open is asked for again. The caller of
// each method holds the shard's lock.
type outcomes struct {
	scheduler *scheduler
	debouncer *debouncer
	rechecks  *rechecks
}

// finish ends an entry's own call that was answered.
func (o *outcomes) finish(k *call, changed bool) {
	k.e.calls.running = false
	k.e.heard.answered(k)
	if !k.again.isEmpty() {
		o.rechecks.add(k.e, k.again)
	}
	o.ended(k.e, changed)
}

// finishJob ends a job's part in an entry.
func (o *outcomes) finishJob(e *entry, changed bool) {
	e.heard.answeredByJob(e.calls.running)
	o.ended(e, changed)
}

func (o *outcomes) ended(e *entry, changed bool) {
	e.calls.end()
	if changed {
		e.notify()
	}
	if (e.heard.isDirty() || !e.calls.again.isEmpty()) && (e.inUse() || e.calls.urgent) {
		o.debouncer.refresh(e)
	}
}

// abort ends an entry's own call that was not answered.
func (o *outcomes) abort(k *call, err error) {
	e := k.e
	e.calls.running = false
	if !k.taken.isEmpty() {
		o.rechecks.add(e, k.taken)
	}
	o.fail(e, k.number, err)
}

// abandon ends an entry's wait in the queue for a call that is not made.
func (o *outcomes) abandon(e *entry, number uint64, err error) {
	e.calls.queued = false
	if !e.calls.again.isEmpty() {
		o.rechecks.add(e, e.calls.again)
		e.calls.again = ask{}
	}
	o.fail(e, number, err)
}

// fail has readers decide anew, since a touched entry must not be used. A reader who came
// too late for the call to be theirs waits for another one.
func (o *outcomes) fail(e *entry, number uint64, err error) {
	e.calls.fail(number, err)
	if !e.heard.isDirty() {
		return
	}
	e.notify()
	if e.calls.urgent && e.heard.ticket() > number {
		o.scheduler.enqueue(e)
	}
}
