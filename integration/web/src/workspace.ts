// Everything of one signed-in person: the collections, and what they write.

import type { Row } from '@electric-sql/client'
import { API, Problem } from './api'
import type { Change } from './api'
import { Shapes } from './collections'
import type { Health } from './collections'
import type { SignedIn } from './credentials'
import { observed } from './observe'
import type { Operation } from './observe'
import { happened } from './timeline'

export interface Document extends Row<unknown> {
  id: string
  project_id: string
  title: string
  body: string | null
  tags: string[]
  updated_at: string
}

/** A document, and what the person may do with it. */
export interface Permitted extends Document {
  canEdit?: boolean
  canShare?: boolean
  $synced?: boolean
}

/** How long an optimistic row is kept while it has not come back. */
const timeout = 30_000

/** Titles that anybody here has seen: a deleted row comes with its key alone. */
const titles = new Map<string, string>()
export const titleOf = (id: string) => titles.get(id) ?? 'a document'

export const nameOf = (id: string) => id.charAt(0).toUpperCase() + id.slice(1)

const seen: Record<Operation, { kind: 'in' | 'out' | 'changed'; text: string }> = {
  insert: { kind: 'in', text: 'sees' },
  delete: { kind: 'out', text: 'no longer sees' },
  update: { kind: 'changed', text: 'gets the change of' },
}

/** What a row of the collection of grants says: what may be done now. */
const may = (held: string[]): { kind: 'in' | 'out'; text: string } =>
  held.length > 0 ? { kind: 'in', text: `may ${held.join(' and ')}` } : { kind: 'out', text: 'may not edit' }

export function openWorkspace(me: SignedIn, onHealth: (health: Health, name: string) => void) {
  const api = new API(me)
  const shapes = new Shapes({
    url: location.origin,
    credentials: me,
    onHealth,
    fetch: observed(({ operation, id, title, held }) => {
      if (title) titles.set(id, title)
      const { kind, text } = held ? may(held) : seen[operation]
      happened({ kind, who: me.person, text: `${text} “${titleOf(id)}”` })
    }),
  })
  const documentActions = shapes.grants<'edit' | 'share'>('document_actions')
  const documents = shapes.collection<Document>('documents', (row) => row.id, {
    onInsert: async ({ transaction }) => {
      const { id, project_id, title, body } = transaction.mutations[0].modified
      const change = written(me.person, await api.create(id, { project_id, title, body: body ?? '' }))
      return { txid: change.txid!, timeout }
    },
    onUpdate: async ({ transaction }) => {
      const { original, changes, modified } = transaction.mutations[0]
      const id = original.id
      const change =
        changes.project_id === undefined
          ? await api.edit(id, { title: modified.title, body: modified.body ?? '' })
          : await api.move(id, changes.project_id)
      return written(me.person, change).txid === undefined ? undefined : { txid: change.txid!, timeout }
    },
  })
  return { me, api, shapes, documents, documentActions }
}

export type Workspace = ReturnType<typeof openWorkspace>

/** Puts the answer to a write on the timeline. */
export function written(who: string, change: Change): Change {
  const detail = [...(change.written ?? []).map((r) => `+ ${r}`), ...(change.deleted ?? []).map((r) => `− ${r}`)]
  if (change.pending) {
    happened({ kind: 'trouble', who, text: 'has written the row; its relationship follows' })
  } else if (detail.length > 0) {
    happened({ kind: 'written', who, text: change.deleted && !change.written ? 'has deleted the relationship' : 'has written the relationship', detail })
  }
  return change
}

/** What a person is told of an error. */
export const told = (error: unknown): string =>
  error instanceof Problem && error.status === 403
    ? `Not allowed: ${error.message}.`
    : `That did not work: ${error instanceof Error ? error.message : String(error)}.`

export const noteTitle = (id: string, title: string) => void titles.set(id, title)
