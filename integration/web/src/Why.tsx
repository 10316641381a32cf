import { useEffect, useState } from 'react'
import type { FormEvent } from 'react'
import type { Why as Answer } from './api'
import { useTimeline } from './timeline'
import { nameOf, told } from './workspace'
import type { Workspace } from './workspace'

/** Whether a person sees a document, and by which path of relationships. */
export function Why({ workspace, id }: { workspace: Workspace; id: string }) {
  const [answer, setAnswer] = useState<Answer>()
  const [problem, setProblem] = useState<string>()
  const lastWrite = useTimeline().find((event) => event.kind === 'written')?.id
  useEffect(() => {
    let stale = false
    workspace.api.why(id).then(
      (now) => {
        if (stale) return
        setAnswer(now)
        setProblem(undefined)
      },
      (error) => stale || setProblem(told(error)),
    )
    return () => {
      stale = true
    }
  }, [workspace, id, lastWrite])

  const name = nameOf(workspace.me.person)
  return (
    <div className="why" role="status">
      {problem && <p>{problem}</p>}
      {answer && !problem && (
        <>
          <p><strong className={answer.visible ? 'yes' : 'no'}>{answer.visible ? `${name} sees it.` : `${name} does not see it.`}</strong> {reasons[answer.reason]}</p>
          {answer.paths.map((path) => <Path key={path.join()} path={path} />)}
          {!answer.visible && answer.tried.length > 0 && <p className="hint">Looked in {answer.tried.map(shorten).join(', ')}.</p>}
          <details><summary>All of it</summary><pre tabIndex={0}>{answer.text}</pre></details>
        </>
      )}
    </div>
  )
}

const Path = ({ path }: { path: string[] }) => (
  <ol className="path">
    {path.map((step, i) => <li key={i}><code>{shorten(step)}</code></li>)}
  </ol>
)

/** The end of an id is enough to know it by. */
const shorten = (step: string) => step.replace(/document:[0-9a-f-]{33}/, 'document:…')

const reasons: Record<string, string> = {
  gate: 'The gate holds, and the shape has no filter.',
  unrestricted: 'Who administers the workspace sees every row.',
  filter: 'This leads to it:',
  gate_denied: 'The gate does not hold: the whole shape is answered 403.',
  unanswerable: 'SpiceDB cannot evaluate the permission: the whole shape is answered 403.',
  no_row: 'There is no such row.',
  where_not_met: "The row does not meet the shape's where.",
  column_null: "The filter's column is NULL, which is never visible.",
  no_object: "The filter's column has no object id.",
  excluded: 'It is granted, and this takes it away:',
  context_missing: 'A caveat on the way lacks what it asks for:',
  caveat_false: 'A caveat on the way does not hold:',
  not_granted: 'No relationship leads to it.',
}

/** Asks about any id. */
export function AskWhy({ workspace }: { workspace: Workspace }) {
  const [text, setText] = useState('')
  const [asked, setAsked] = useState<string>()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    setAsked(text.trim())
  }
  return (
    <details className="groups">
      <summary>Why? Ask about any id</summary>
      <form className="ask" onSubmit={submit}>
        <input aria-label="Id of a document" placeholder="d0c00000-0000-4000-8000-000000000005" value={text} required
          pattern="\s*[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\s*" title="a UUID in lower case" onChange={(e) => setText(e.target.value)} />
        <button type="submit">Why?</button>
      </form>
      {asked && <Why key={asked} workspace={workspace} id={asked} />}
    </details>
  )
}
