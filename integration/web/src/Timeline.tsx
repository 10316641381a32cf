import { useTimeline } from './timeline'
import type { Event } from './timeline'
import { nameOf } from './workspace'

/** What has happened, the newest first. */
export function Timeline() {
  const events = useTimeline()
  return (
    <section className="timeline" aria-label="Timeline">
      <h2>Timeline</h2>
      {events.length === 0 && <p className="hint">Sign in on both sides. Then share a document, and see here how long it takes.</p>}
      <div role="log" aria-label="What has happened" tabIndex={0}><ol>
        {events.map((event) => (
          <li key={event.id} className={event.kind}>
            <span className="mark" aria-hidden="true">{marks[event.kind]}</span>
            <p><strong>{nameOf(event.who)}</strong> {event.text}</p>
            {event.ms !== undefined && event.kind !== 'act' && <span className="ms">{event.ms < 10 ? event.ms.toFixed(1) : Math.round(event.ms)} ms</span>}
            {event.detail?.map((line) => <code key={line}>{shorten(line)}</code>)}
          </li>
        ))}
      </ol></div>
    </section>
  )
}

const marks: Record<Event['kind'], string> = { act: '▸', written: '✎', in: '+', out: '−', changed: '~', trouble: '!', good: '✓' }

/** The end of an id is enough to know it by. */
const shorten = (relationship: string) => relationship.replace(/document:[0-9a-f-]{33}/, 'document:…')
