import { useEffect, useState } from 'react'
import { people } from './api'
import type { Person } from './api'
import { Pane } from './Pane'
import { Timeline } from './Timeline'

/** Two people side by side, and what happens between them. */
export function App() {
  const [everybody, setEverybody] = useState<Person[]>([])
  // The browser keeps one session cookie for the page, so one pane can use it.
  const [cookie, setCookie] = useState<'left' | 'right'>()
  useEffect(() => untilThere(people, setEverybody), [])

  const pane = (side: 'left' | 'right', first: string) => (
    <Pane
      key={side}
      side={side}
      people={everybody}
      first={everybody.some((p) => p.id === first) ? first : (everybody[side === 'left' ? 0 : 1] ?? everybody[0])?.id}
      cookieTaken={cookie !== undefined && cookie !== side}
      onCookie={(used) => setCookie((now) => (used ? side : now === side ? undefined : now))}
    />
  )
  return (
    <>
      <header className="top">
        <h1>shapegate</h1>
        <p>
          Two people, one table. SpiceDB decides who sees a row, and who edits it. Share a document in one pane: the
          other has it at once.
        </p>
      </header>
      <main className="panes">
        {pane('left', 'carol')}
        <Timeline />
        {pane('right', 'bob')}
      </main>
    </>
  )
}

/** Asks until there is an answer. Returns how to stop. */
function untilThere<T>(ask: () => Promise<T>, then: (value: T) => void): () => void {
  let timer: ReturnType<typeof setTimeout>
  let stopped = false
  const attempt = () =>
    void ask().then(
      (value) => stopped || then(value),
      () => stopped || (timer = setTimeout(attempt, 1_000)),
    )
  attempt()
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
