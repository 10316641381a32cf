import { eq, ilike, lower, useLiveQuery } from '@tanstack/react-db'
import { useDeferredValue, useEffect, useRef, useState } from 'react'
import type { Me, Person, Project } from './api'
import { DocumentRow } from './DocumentRow'
import { NewDocument } from './NewDocument'
import { noteTitle } from './workspace'
import type { Permitted, Workspace } from './workspace'

interface Props {
  workspace: Workspace
  people: Person[]
  me: Me | undefined
  onProblem: (text: string | undefined) => void
}

const pageSize = 5

const none: Project[] = []

const orders = {
  newest: 'Newest first',
  oldest: 'Oldest first',
  title: 'By title',
} as const

type Order = keyof typeof orders

/** The documents that a person may see: searched, ordered, and a page at a time. */
export function Documents({ workspace, people, me, onProblem }: Props) {
  const { documents, documentActions } = workspace
  const [search, setSearch] = useState('')
  const [project, setProject] = useState('')
  const [order, setOrder] = useState<Order>('newest')
  const [page, setPage] = useState(0)
  const [open, setOpen] = useState<string>()
  const [adding, setAdding] = useState(false)
  const text = useDeferredValue(search.trim())

  const projects = me?.projects ?? none
  // Runs over what the collections hold, and has them load what is missing: subsets, by POST.
  // What the person may do with each document is joined from rows, and kept current as they are.
  const { data, isReady } = useLiveQuery(
    (q) => {
      let query = q.from({ d: documents }).leftJoin({ a: documentActions }, ({ d, a }) => eq(d.id, a.id))
      if (text) query = query.where(({ d }) => ilike(d.title, `%${text}%`))
      if (project) query = query.where(({ d }) => eq(d.project_id, project))
      const ordered =
        order === 'title'
          ? query.orderBy(({ d }) => lower(d.title))
          : query.orderBy(({ d }) => d.updated_at, order === 'newest' ? 'desc' : 'asc')
      return ordered
        .limit(pageSize + 1) // one more: is there a next page?
        .offset(page * pageSize)
        .select(({ d, a }) => ({ ...d, canEdit: a?.edit, canShare: a?.share }))
    },
    [documents, documentActions, text, project, order, page],
  )
  const rows = useLast<Permitted[]>(data, isReady)
  const shown = rows?.slice(0, pageSize)
  useEffect(() => shown?.forEach((row) => noteTitle(row.id, row.title)), [shown])
  useEffect(() => {
    if (page > 0 && isReady && data?.length === 0) setPage(page - 1) // the last row of the page has gone
  }, [data, isReady, page])

  const restart = <T,>(set: (value: T) => void) => (value: T) => {
    setPage(0)
    set(value)
  }
  return (
    <div className="documents">
      <div className="tools">
        <input type="search" placeholder="Search titles" aria-label="Search titles" value={search} onChange={(e) => restart(setSearch)(e.target.value)} />
        <select aria-label="Project" value={project} onChange={(e) => restart(setProject)(e.target.value)}>
          <option value="">All projects</option>
          {projects.map((p) => <option key={p.id} value={p.id}>{p.name}</option>)}
        </select>
        <select aria-label="Order" value={order} onChange={(e) => restart(setOrder)(e.target.value as Order)}>
          {Object.entries(orders).map(([key, name]) => <option key={key} value={key}>{name}</option>)}
        </select>
        <button type="button" className="primary" aria-expanded={adding} disabled={projects.length === 0} onClick={() => setAdding(!adding)}>New</button>
      </div>
      {adding && <NewDocument workspace={workspace} projects={projects} onProblem={onProblem} onClose={() => setAdding(false)} />}
      <ul className="rows" aria-label="Documents">
        {shown?.map((row) => (
          <DocumentRow
            key={row.id}
            row={row}
            open={open === row.id}
            onToggle={() => setOpen(open === row.id ? undefined : row.id)}
            {...{ workspace, people, me, onProblem, projects }}
          />
        ))}
      </ul>
      {shown?.length === 0 && <p className="empty">{text || project ? 'Nothing here matches.' : 'Nothing to see yet. Let the other person share a document.'}</p>}
      <div className="pages" role="group" aria-label="Pages">
        <button type="button" className="quiet" disabled={page === 0} onClick={() => setPage(page - 1)}>Previous</button>
        <span aria-live="polite">Page {page + 1}</span>
        <button type="button" className="quiet" disabled={(rows?.length ?? 0) <= pageSize} onClick={() => setPage(page + 1)}>Next</button>
      </div>
    </div>
  )
}

/** The newest value that was ready: a page stays while the next one loads. */
function useLast<T>(value: T | undefined, ready: boolean): T | undefined {
  const last = useRef<T>(undefined)
  if (ready) last.current = value
  return last.current
}
