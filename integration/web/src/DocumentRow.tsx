import { useId, useState } from 'react'
import type { FormEvent } from 'react'
import type { Me, Person, Project } from './api'
import { Sharing } from './Sharing'
import { Why } from './Why'
import { act } from './timeline'
import { nameOf, told } from './workspace'
import type { Document, Permitted, Workspace } from './workspace'

interface Props {
  row: Permitted
  open: boolean
  onToggle: () => void
  workspace: Workspace
  projects: Project[]
  people: Person[]
  me: Me | undefined
  onProblem: (text: string | undefined) => void
}

/** A row, and what the person may do with it: as the joined permissions say, from one moment to the next. */
export function DocumentRow({ row, open, onToggle, workspace, projects, people, me, onProblem }: Props) {
  const panel = useId()
  const [asked, setAsked] = useState(false)
  const project = projects.find((p) => p.id === row.project_id)?.name ?? nameOf(row.project_id)

  const update = async (what: string, change: (draft: Document) => void) => {
    onProblem(undefined)
    act(workspace.me.person, what)
    try {
      await workspace.documents.update(row.id, change).isPersisted.promise
    } catch (error) {
      onProblem(told(error)) // the row is as it was
    }
  }
  return (
    <li className="row" data-id={row.id}>
      <button type="button" className="title" aria-expanded={open} aria-controls={open ? panel : undefined} onClick={onToggle}>
        <span>{row.title}</span>
        <span className="meta">
          {row.$synced === false && <span className="saving">saving…</span>}
          <span className="chip">{project}</span>
        </span>
      </button>
      {open && (
        <div className="panel" id={panel}>
          {row.canEdit ? (
            <Edit key={row.title + row.body} row={row} onSave={(title, body) =>
              update(`edits “${title}”`, (draft) => {
                draft.title = title
                draft.body = body
              })} />
          ) : (
            <>
              {row.body && <p className="text">{row.body}</p>}
              <p className="hint">{nameOf(workspace.me.person)} may read this, and not edit it.</p>
            </>
          )}
          {row.canShare ? (
            <>
              <label className="field">
                <span>Project</span>
                <select value={row.project_id} onChange={(e) => void update(`moves “${row.title}” to ${e.target.value}`, (draft) => {
                  draft.project_id = e.target.value
                })}>
                  {projects.filter((p) => p.manages || p.id === row.project_id).map((p) => <option key={p.id} value={p.id}>{p.name}</option>)}
                </select>
              </label>
              <Sharing {...{ workspace, people, onProblem, row }} groups={Object.keys(me?.groups ?? {})} />
            </>
          ) : (
            <p className="hint">The lead of {project} or an administrator can share and move this.</p>
          )}
          <button type="button" className="quiet" aria-expanded={asked} onClick={() => setAsked(!asked)}>Why does {nameOf(workspace.me.person)} see this?</button>
          {asked && <Why workspace={workspace} id={row.id} />}
        </div>
      )}
    </li>
  )
}

function Edit({ row, onSave }: { row: Document; onSave: (title: string, body: string) => void }) {
  const [title, setTitle] = useState(row.title)
  const [body, setBody] = useState(row.body ?? '')
  const changed = title !== row.title || body !== (row.body ?? '')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (title.trim()) onSave(title.trim(), body)
  }
  return (
    <form onSubmit={submit}>
      <label className="field"><span>Title</span><input value={title} maxLength={200} required onChange={(e) => setTitle(e.target.value)} /></label>
      <label className="field"><span>Text</span><textarea value={body} rows={2} maxLength={10_000} onChange={(e) => setBody(e.target.value)} /></label>
      <button type="submit" disabled={!changed}>Save</button>
    </form>
  )
}
