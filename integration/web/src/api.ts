// The demo's backend: rows and relationships are written there, and nowhere else.

import type { SignedIn } from './credentials'

export interface Person {
  id: string
  about: string
}

/** What a person may do with projects and groups. */
export interface Me {
  person: string
  administers: boolean
  projects: Project[] // that the person sees
  groups: Record<string, string[]>
}

export interface Project {
  id: string
  name: string
  manages: boolean
}

/** Whom a document is shared with, to read or to edit, and who is banned from it. */
export interface Access {
  viewers: Grant[]
  editors: Grant[]
  banned: Grant[]
}

export interface Grant {
  who: string // user:bob, group:engineering
  caveat?: string
  needs?: Record<string, unknown>
}

/** Why a document is visible or not. */
export interface Why {
  visible: boolean
  reason: string
  paths: string[][]
  tried: string[]
  text: string
}

/** The answer to a write. */
export interface Change {
  txid?: number
  zed_token?: string
  written?: string[]
  deleted?: string[]
  pending?: boolean // the row is written, and its relationships follow
}

/** What a person is told when something did not work. */
export class Problem extends Error {
  status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export const people = async (): Promise<Person[]> => read(await fetch('/demo/people'))

/** Calls the backend as a person. Credentials that have expired are renewed. */
export class API {
  #me: SignedIn

  constructor(me: SignedIn) {
    this.#me = me
  }

  me = (): Promise<Me> => this.#call('GET', '/me')
  access = (id: string): Promise<Access> => this.#call('GET', `/documents/${id}/access`)

  why = (id: string): Promise<Why> => this.#call('GET', `/documents/${id}/why`)

  create = (id: string, row: { project_id: string; title: string; body: string }): Promise<Change> =>
    this.#call('PUT', `/documents/${id}`, row)
  edit = (id: string, text: { title: string; body: string }): Promise<Change> => this.#call('PATCH', `/documents/${id}`, text)
  move = (id: string, project_id: string): Promise<Change> => this.#call('POST', `/documents/${id}/move`, { project_id })
  share = (id: string, as: 'viewers' | 'editors', who: string, given: boolean): Promise<Change> =>
    this.#call(verb(given), `/documents/${id}/${as}/${who}`)
  ban = (id: string, who: string, given: boolean): Promise<Change> => this.#call(verb(given), `/documents/${id}/banned/${who}`)
  join = (group: string, who: string, given: boolean): Promise<Change> =>
    this.#call(verb(given), `/groups/${group}/members/${who}`)

  async #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const send = async () => {
      const headers = new Headers({ 'Content-Type': 'application/json' })
      if (this.#me.authorization) headers.set('Authorization', await this.#me.authorization())
      try {
        return await fetch(`/demo${path}`, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
      } catch {
        throw new Problem(0, 'no answer: is the network there?')
      }
    }
    const response = await send()
    return read(response.status === 401 && (await this.#me.renew()) ? await send() : response)
  }
}

const verb = (given: boolean) => (given ? 'PUT' : 'DELETE')

async function read<T>(response: Response): Promise<T> {
  if (response.ok) return response.json()
  const told = await response.json().catch(() => ({ message: `the answer is ${response.status}` }))
  throw new Problem(response.status, told.message)
}
