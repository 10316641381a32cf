// A world is all that stands behind the clients of one test: tables, relationships,
// sessions, and the proxy in front of them. Each test has its own, so that none
// can see what another one did. The Go test that runs these scripts serves them.

import assert from 'node:assert/strict'
import { readerKinds } from './readers.mjs'
import { deadline } from './wait.mjs'

const control = process.env.SHAPEGATE_E2E_CONTROL
if (!control) throw new Error('these scripts are run by: go test ./integration/e2e')

/** A bearer JWT for each person: alice, bob, carol, and mallory, who is no member. */
export const tokens = JSON.parse(process.env.SHAPEGATE_E2E_TOKENS)

/** The id of the demo's n-th document. Those after 8 are there to be written. */
export const doc = (n) => `d0c00000-0000-4000-8000-${String(n).padStart(12, '0')}`

/** The id of the demo's n-th salary. */
export const salary = (n) => `5a1a0000-0000-4000-8000-${String(n).padStart(12, '0')}`

/** An INSERT of the n-th document. */
export const insertDoc = (n, { project = 'atlas', title = `Document ${n}`, archived = false } = {}) =>
  `INSERT INTO documents (id, project_id, title, archived, updated_at) ` +
  `VALUES ('${doc(n)}', '${project}', '${title}', ${archived}, '2026-03-01 10:00:00+00');`

/** The relationship that puts the n-th document into a project. */
export const inProject = (n, project) => `document:${doc(n)}#project@project:${project}`

/**
 * Opens a world that lasts as long as the test. At its end, everything that any
 * reader received is held against what its person was ever permitted to see.
 */
export async function newWorld(t, options = {}) {
  const { id, url } = await call('POST', '/worlds', options)
  const world = new World(id, url)
  t.after(() => world.close())
  return world
}

class World {
  constructor(id, url) {
    this.path = `/worlds/${id}`
    this.url = url
    this.readers = []
  }

  /**
   * Changes relationships and tables: deletes, then the SQL in one transaction,
   * then touches. Returns the SQL's transaction id.
   */
  async change({ sql, touch, delete: remove }) {
    const { txid } = await call('POST', `${this.path}/changes`, { sql, touch, delete: remove })
    return txid
  }

  sql = (...statements) => this.change({ sql: statements.join('\n') })
  grant = (...relationships) => this.change({ touch: relationships })
  revoke = (...relationships) => this.change({ delete: relationships })

  /** Replaces the proxy, or each of its replicas, by a new one. With another secret, it knows no handle. */
  restart = (options = {}) => call('POST', `${this.path}/restart`, options)

  /** Takes SpiceDB away, and brings it back with what it had. */
  pauseSpiceDB = () => call('POST', `${this.path}/spicedb/pause`)
  resumeSpiceDB = () => call('POST', `${this.path}/spicedb/resume`)

  shapeURL = (shape) => `${this.url}/v1/shapes/${shape}`

  /** Opens a reader of one of readerKinds. It does not wait for its first rows. */
  open(kind, person, shape = 'documents', { params = {}, streamParams = params, token = tokens[person], ...options } = {}) {
    const reader = readerKinds[kind]({ url: this.shapeURL(shape), token, params: streamParams, ...options })
    Object.assign(reader, { name: `${person}, ${kind}, ${shape}`, person, shapeName: shape, params, decode })
    this.readers.push(reader)
    return reader
  }

  /** Opens a reader of a collection of grants. */
  openGrants(kind, person, name = 'document_actions', options = {}) {
    const reader = this.open(kind, person, name, { url: `${this.url}/v1/grants/${name}`, ...options })
    return Object.assign(reader, { decode: decodeGrants[name] ?? decodeActions })
  }

  /**
   * The rows that a person may see now, by id: asked of SpiceDB row by row, and of
   * the tables, with no part of the proxy in between.
   */
  async truth({ shapeName, person, params, decode: by = decode }) {
    const rows = await call('GET', `${this.path}/truth?${query(shapeName, person, params)}`)
    return rows.map(by)
  }

  /**
   * The ids that each compiled query returns of a real Postgres, whose table has the rows that
   * a person may see, and no others.
   */
  inPostgres = (shape, person, statements) => call('POST', `${this.path}/postgres`, { shape, person, statements })

  /** Waits until these readers, or all, hold exactly what their person may see now. */
  async settled(...readers) {
    await Promise.all((readers.length > 0 ? readers : this.readers).map(async (reader) => {
      await reader.until(await this.truth(reader))
      await this.#sawNothingForbidden(reader)
    }))
  }

  async #sawNothingForbidden({ shapeName, person, params, received, name }) {
    const ever = await call('GET', `${this.path}/ever?${query(shapeName, person, params)}`)
    assert.deepEqual(received.forbidden(ever), [], `${name}: received what was never permitted`)
  }

  /** Asks the gatekeeper, as a person, for a shape: what it answers. */
  gatekeeper = (person, shape, params = {}) =>
    fetch(`${this.url}/v1/gatekeeper/${shape}?${new URLSearchParams(params)}`,
      { method: 'POST', headers: { Authorization: `Bearer ${tokens[person]}` } })

  /** Exchanges a person's JWT for a session's token. */
  async logIn(person) {
    const response = await this.#session('POST', tokens[person])
    assert.equal(response.status, 201)
    return (await response.json()).token
  }

  async logOut(token) {
    const response = await this.#session('DELETE', token)
    assert.equal(response.status, 204)
  }

  /** Asks for a session again while Redis, on a busy machine, is too slow to answer. */
  async #session(method, token) {
    for (let end = Date.now() + deadline; ;) {
      const response = await fetch(`${this.url}/v1/session`, { method, headers: { Authorization: `Bearer ${token}` } })
      if (response.status !== 503 || Date.now() > end) return response
      await response.text()
    }
  }

  async close() {
    await Promise.all(this.readers.map((reader) => reader.close()))
    try {
      for (const reader of this.readers) await this.#sawNothingForbidden(reader)
    } finally {
      await call('DELETE', this.path)
    }
  }
}

const query = (shape, person, params) => new URLSearchParams({ ...params, shape, person })

/** Decodes Postgres' text forms as the clients do. Lists hold plain words here. */
function decode(row) {
  const decoded = { ...row }
  if (row.tags) decoded.tags = row.tags.slice(1, -1).split(',').filter(Boolean)
  if (row.amount) decoded.amount = Number(row.amount)
  return decoded
}

/** Decodes a row of a collection of grants: all but its id are booleans. */
const decodeActions = ({ id, ...held }) =>
  ({ id, ...Object.fromEntries(Object.entries(held).map(([name, text]) => [name, text === 'true'])) })

/** Those whose ids are no strings. */
const decodeGrants = { numbered_actions: ({ id, ...held }) => ({ ...decodeActions(held), id: Number(id) }) }

async function call(method, path, body) {
  const response = await fetch(control + path, {
    method, body: body && JSON.stringify(body), signal: AbortSignal.timeout(deadline),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`control: ${method} ${path}: ${response.status} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}
