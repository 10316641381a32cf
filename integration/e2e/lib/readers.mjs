// The ways in which an application reads a shape, all with one face: the rows that
// it holds now, and word of when they change.

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import { Shape, ShapeStream } from '@electric-sql/client'
import { electricCollectionOptions } from '@tanstack/electric-db-collection'
import { BasicIndex, createCollection, createLiveQueryCollection } from '@tanstack/db'
import { Recorder } from './recorder.mjs'
import { deadline, eventually } from './wait.mjs'

/** How to open a reader of each kind. */
export const readerKinds = {
  'Shape, long-poll': (options) => new ShapeReader(options),
  'Shape, server-sent events': (options) => new ShapeReader({ ...options, liveSse: true }),
  'TanStack DB, eager': (options) => new CollectionReader({ ...options, syncMode: 'eager' }),
  'TanStack DB, on-demand': (options) =>
    new CollectionReader({ subsetMethod: 'POST', ...options, syncMode: 'on-demand' }),
  'TanStack DB, progressive': (options) =>
    new CollectionReader({ subsetMethod: 'POST', ...options, syncMode: 'progressive' }),
}

/** Makes sure that no reader had to drop its rows and load them again. */
export function neverBeganAnew(...readers) {
  for (const { name, received } of readers) {
    assert.equal(received.count(409), 0, `${name}: was answered 409`)
    assert.ok(!received.saw('must-refetch'), `${name}: got must-refetch`)
  }
}

export const everyKind = Object.keys(readerKinds)
export const collectionKinds = everyKind.filter((kind) => kind.startsWith('TanStack DB'))

class Reader extends EventEmitter {
  received = new Recorder()
  errors = []
  renewals = [] // the statuses for which renew was called
  #abort = new AbortController()

  /**
   * The options of every ShapeStream. renew, if it is given, returns what to go on with after
   * a 401 or a 403, which are then no errors.
   */
  streamOptions({ url, token, params, onError, renew, ...rest }) {
    this.setMaxListeners(0)
    this.received.on('end', () => this.emit('change'))
    return {
      url,
      params,
      headers: { Authorization: `Bearer ${token}` },
      parser: { int8: Number },
      backoffOptions: { initialDelay: 50, maxDelay: 500, multiplier: 1.5 },
      ...rest,
      fetchClient: this.received.fetch,
      signal: this.#abort.signal,
      onError: (error) => {
        if (renew && (error.status === 401 || error.status === 403)) {
          this.renewals.push(error.status)
          this.emit('change')
          return renew(error)
        }
        this.errors.push(error)
        this.emit('change')
        return onError?.(error)
      },
    }
  }

  ids = () => this.rows().map((row) => row.id).sort()

  #subscribe = (callback) => {
    this.on('change', callback)
    return () => this.off('change', callback)
  }

  /** Waits until the rows are exactly these. An error ends the wait. */
  until(want) {
    return eventually(this.#subscribe, () => {
      if (this.errors.length > 0) throw this.errors[0]
      const refused = this.received.answers.find(({ status }) => status === 400)
      if (refused) throw new Error(`${this.name}: ${refused.url.search}: ${refused.text}`)
      return this.isReady() && isDeepStrictEqual(sorted(this.rows()), sorted(want))
    }, () => new assert.AssertionError({
      message: `${this.name}: the rows did not become what they should be` + (this.isReady() ? '' : ' (not even ready)'),
      actual: sorted(this.rows()), expected: sorted(want), operator: 'deepStrictEqual',
    }))
  }

  /** Waits until check() holds. */
  when(check, what) {
    return eventually(this.#subscribe, check, () => new Error(`${this.name}: ${what} did not come`))
  }

  /** Waits for the first error that onError got. */
  failure() {
    return eventually(this.#subscribe, () => this.errors[0], () => new Error(`${this.name}: no error came`))
  }

  async close() {
    this.#abort.abort()
  }
}

class ShapeReader extends Reader {
  constructor(options) {
    super()
    this.stream = new ShapeStream(this.streamOptions(options))
    this.shape = new Shape(this.stream)
    this.shape.subscribe(() => this.emit('change'))
  }

  isReady = () => this.shape.isUpToDate
  rows = () => this.shape.currentRows
}

class CollectionReader extends Reader {
  /** query says what the live query reads of the collection; all by default. */
  constructor({ syncMode, query = (q) => q, onInsert, ...options }) {
    super()
    this.collection = createCollection(electricCollectionOptions({
      syncMode,
      onInsert,
      getKey: (row) => row.id,
      autoIndex: 'eager',
      defaultIndexType: BasicIndex,
      shapeOptions: this.streamOptions(options),
    }))
    this.live = createLiveQueryCollection((q) => query(q.from({ row: this.collection })))
    this.live.subscribeChanges(() => this.emit('change'))
    this.live.on('status:change', () => this.emit('change'))
  }

  isReady = () => this.live.isReady()
  rows = () => this.live.toArray.map(withoutVirtual)
  awaitTxId = (txid) => this.collection.utils.awaitTxId(txid, deadline)

  async close() {
    await super.close()
    await this.live.cleanup()
    await this.collection.cleanup()
  }
}

/** TanStack DB adds properties such as $key to the rows that it returns. */
const withoutVirtual = (row) =>
  Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith('$')))

const sorted = (rows) => rows.map((row) => ({ ...row })).sort((a, b) => (a.id < b.id ? -1 : 1))
