// Collections over the shapes of a shapegate, and over what a person may do with their rows,
// for one signed-in person. Copy this file.

import { FetchError } from '@electric-sql/client'
import type { Row } from '@electric-sql/client'
import { BasicIndex, createCollection } from '@tanstack/db'
import { electricCollectionOptions } from '@tanstack/electric-db-collection'
import type { ElectricCollectionConfig } from '@tanstack/electric-db-collection'

/** Says who sends a request, and gets new credentials when the old ones do not hold any more. */
export interface Credentials {
  /** The Authorization header. Leave it out where a session cookie says who it is. */
  authorization?: () => Promise<string>
  /** Called after a 401. False: the person has to sign in again. */
  renew: () => Promise<boolean>
}

/** How it stands with the rows: kept current, or why not. */
export type Health =
  | 'live'
  | 'offline' // no answer: the rows stay, and become current by themselves
  | 'unavailable' // shapegate cannot decide at the moment (503): the same
  | 'refused' // 403, this person may not read the shape: its rows are gone, and it is asked for again
  | 'signed-out' // 401, and no new credentials

export interface ShapesOptions {
  url: string // of shapegate, as in https://sync.example.com
  credentials: Credentials
  onHealth?: (health: Health, name: string) => void
  fetch?: typeof fetch
  retryRefused?: number // ms after a 403
}

/** What a person may do with an object: a row of a collection of grants. */
export type Grants<Permission extends string> = { id: string } & Record<Permission, boolean>

type Handlers<T extends Row<unknown>> = Pick<ElectricCollectionConfig<T>, 'onInsert' | 'onUpdate' | 'onDelete' | 'syncMode'>

/**
 * Everything that one person reads. Make one when somebody signs in, and end it when they
 * sign out: no row of theirs is left for whoever signs in next.
 */
export class Shapes {
  #options: ShapesOptions
  #ends: Array<() => Promise<void>> = []
  #signedOut = new AbortController()

  constructor(options: ShapesOptions) {
    this.#options = options
  }

  /** Makes the collection of a shape. Keep it: a second one would ask for everything again. */
  collection<T extends Row<unknown>>(shape: string, getKey: (row: T) => string, handlers: Handlers<T> = {}) {
    return this.#open<T>('shapes', shape, getKey, handlers)
  }

  /**
   * Makes a collection of grants: a row for each object on which the person holds any of the
   * permissions. An object without a row is one that they may do nothing with.
   */
  grants<Permission extends string>(name: string) {
    return this.#open<Grants<Permission>>('grants', name, (row) => row.id)
  }

  #open<T extends Row<unknown>>(kind: 'shapes' | 'grants', name: string, getKey: (row: T) => string, handlers: Handlers<T> = {}) {
    const { url, credentials, retryRefused = 5_000 } = this.#options
    const { signal } = this.#signedOut
    const health = (now: Health) => {
      if (!signal.aborted) this.#options.onHealth?.(now, name)
    }

    const collection = createCollection(
      electricCollectionOptions<T>({
        getKey,
        syncMode: 'on-demand', // loads what queries ask for; 'eager' loads all
        autoIndex: 'eager', // an order with a limit needs an index
        defaultIndexType: BasicIndex,
        ...handlers,
        shapeOptions: {
          url: `${url}/v1/${kind}/${name}`,
          headers: credentials.authorization && { Authorization: credentials.authorization },
          subsetMethod: 'POST',
          backoffOptions: { initialDelay: 100, maxDelay: 4_000, multiplier: 1.5 },
          signal,
          fetchClient: watched(renewing(this.#options.fetch ?? fetch, credentials), health),
          // Called for what a client cannot mend by trying again. Returning nothing ends the
          // stream, and the collection's status is 'error'.
          onError: async (error) => {
            if (signal.aborted || !(error instanceof FetchError)) return
            if (error.status === 401) {
              if (await credentials.renew()) return {} // asks again, with the new credentials
              health('signed-out')
              await dropRows()
            }
            if (error.status === 403) {
              health('refused')
              await dropRows()
              setTimeout(() => signal.aborted || collection.startSyncImmediate(), retryRefused)
            }
          },
        },
      }),
    )
    // Live queries end with the rows that they read: the page takes its lists away first,
    // when it hears that they are refused or when it signs out. It has a moment for that.
    const dropRows = async () => {
      const unused = new Promise<void>((resolve) => {
        if (collection.subscriberCount === 0) resolve()
        collection.on('subscribers:change', ({ subscriberCount }) => subscriberCount === 0 && resolve())
      })
      await Promise.race([unused, new Promise((resolve) => setTimeout(resolve, 5_000))])
      await collection.cleanup()
    }
    this.#ends.push(dropRows)
    return collection
  }

  /** Ends every request at once, and drops every row when no live query reads it any more. */
  async signOut() {
    this.#signedOut.abort()
    await Promise.all(this.#ends.map((end) => end()))
  }
}

/**
 * A fetch that gets new credentials after a 401 and asks once more. The client's onError
 * hears of what the log is answered, and not of a subset: its rows would never come.
 */
function renewing(fetchClient: typeof fetch, credentials: Credentials): typeof fetch {
  return async (input, init) => {
    const response = await fetchClient(input, init)
    if (response.status !== 401 || !(await credentials.renew())) return response
    const headers = new Headers(init?.headers)
    if (credentials.authorization) headers.set('Authorization', await credentials.authorization())
    return fetchClient(input, { ...init, headers })
  }
}

/** A fetch that tells how its requests end. The client itself tries again after 5xx and lost connections. */
function watched(fetchClient: typeof fetch, health: (now: Health) => void): typeof fetch {
  return async (input, init) => {
    try {
      const response = await fetchClient(input, init)
      if (response.ok) health('live')
      if (response.status >= 500) health('unavailable')
      return response
    } catch (error) {
      if (!init?.signal?.aborted) health('offline')
      throw error
    }
  }
}
