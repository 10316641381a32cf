import { useState } from 'react'
import type { FormEvent } from 'react'
import type { Project } from './api'
import { act } from './timeline'
import { told } from './workspace'
import type { Workspace } from './workspace'

interface Props {
  workspace: Workspace
  projects: Project[]
  onProblem: (text: string | undefined) => void
  onClose: () => void
}

/** Adds a document. It shows at once, and is replaced by the row that comes back. */
export function NewDocument({ workspace, projects, onProblem, onClose }: Props) {
  const [title, setTitle] = useState('')
  const [project, setProject] = useState(projects[0]?.id ?? '')
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    onProblem(undefined)
    onClose()
    act(workspace.me.person, `creates “${title.trim()}”`)
    try {
      await workspace.documents.insert({
        id: crypto.randomUUID(), // the name of the request, too: it can be sent again
        project_id: project,
        title: title.trim(),
        body: '',
        tags: [],
        updated_at: new Date().toISOString().replace('T', ' ').replace('Z', '+00'), // as Postgres has it
      }).isPersisted.promise
    } catch (error) {
      onProblem(told(error)) // the row is gone again
    }
  }
  return (
    <form className="new" aria-label="New document" onSubmit={submit}>
      <label className="field"><span>Title</span><input autoFocus value={title} maxLength={200} required pattern=".*\S.*" onChange={(e) => setTitle(e.target.value)} /></label>
      <label className="field">
        <span>In project</span>
        <select value={project} onChange={(e) => setProject(e.target.value)}>
          {projects.map((p) => <option key={p.id} value={p.id}>{p.name}</option>)}
        </select>
      </label>
      <button type="submit" className="primary">Create</button>
      <button type="button" className="quiet" onClick={onClose}>Cancel</button>
    </form>
  )
}
