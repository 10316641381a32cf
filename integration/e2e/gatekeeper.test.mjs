// The gatekeeper pattern of Electric's guide: a token for one shape, got with the person's
// credentials, got anew when it has ended, and good for nothing once the permission is gone.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { FetchError, Shape, ShapeStream } from '@electric-sql/client'
import { compile } from './lib/compile.mjs'
import { forEach } from './lib/each.mjs'
import { everyKind, neverBeganAnew } from './lib/readers.mjs'
import { Recorder } from './lib/recorder.mjs'
import { eventually } from './lib/wait.mjs'
import { doc, inProject, insertDoc, newWorld, tokens } from './lib/world.mjs'

/**
 * The client of the guide. Of its code nothing is changed but where the gatekeeper is, the
 * credentials that the guide leaves out, and what tests look at.
 */
async function guide(t, world, person) {
  const received = new Recorder()
  const statuses = []
  const abort = new AbortController()
  t.after(() => abort.abort())

  async function fetchConfig() {
    const url = `${world.url}/v1/gatekeeper/documents`

    const resp = await fetch(url, { method: `POST`, headers: { Authorization: `Bearer ${tokens[person]}` } })
    return await resp.json()
  }

  const config = await fetchConfig()
  const stream = new ShapeStream({
    ...config,
    fetchClient: received.fetch,
    signal: abort.signal,
    onError: async (error) => {
      if (error instanceof FetchError) {
        const status = error.status
        statuses.push(status)

        // If the auth token is invalid or expires, hit the gatekeeper
        // again to update the auth headers and thus keep streaming
        // without interruption.
        if (status === 401 || status === 403) {
          return await fetchConfig()
        }

        // Note: 5xx errors are automatically retried by the client
        // For other 4xx errors, stop the stream
        if (status >= 400 && status < 500) {
          console.error(`Client error ${status}, stopping stream`)
          return // Return void to stop
        }
      }

      // For other errors (network errors, etc.), retry with same config
      console.log(`Retrying after error:`, error.message)
      return {}
    },
  })
  const shape = new Shape(stream)
  const ids = () => shape.currentRows.map((row) => row.id).sort()
  const until = (check, what) => eventually((ask) => {
    const timer = setInterval(ask, 10)
    return () => clearInterval(timer)
  }, check, () => new Error(`${what}; it holds ${ids()}, and was answered ${statuses}`))
  return {
    received, statuses, until,
    /** Waits until it holds exactly the rows that the person may see. */
    settled: async () => {
      const want = (await world.truth({ shapeName: 'documents', person, params: {} })).map((row) => row.id).sort()
      await until(() => isDeepStrictEqual(ids(), want), `not the rows ${want}`)
    },
  }
}

test('the loop of the guide goes on from token to token, and misses nothing', async (t) => {
  const world = await newWorld(t, { tokenSeconds: 2 })
  const bob = await guide(t, world, 'bob')
  await bob.settled()
  for (const n of [9, 10, 11]) {
    const renewed = bob.statuses.length
    await bob.until(() => bob.statuses.length > renewed, 'the token does not end')
    await world.change({ sql: insertDoc(n), touch: [inProject(n, 'borealis')] })
    await bob.settled()
  }
  assert.deepEqual([...new Set(bob.statuses)], [401])
  assert.equal(bob.received.count(409), 0)
})

test('the loop of the guide brings nothing while the permission is away, and goes on with it', async (t) => {
  const world = await newWorld(t)
  const bob = await guide(t, world, 'bob')
  await bob.settled()
  await world.change({
    delete: ['group:everybody#member@user:bob'],
    sql: `UPDATE documents SET title = 'Not for bob' WHERE id = '${doc(4)}';`,
  })
  // The token itself has minutes to live.
  await bob.until(() => bob.statuses.length > 0, 'no answer but 200 comes')
  assert.deepEqual([...new Set(bob.statuses)], [403])
  assert.ok(!bob.received.saw('Not for bob'))
  await world.grant('group:everybody#member@user:bob')
  await world.change({ sql: insertDoc(9), touch: [inProject(9, 'borealis')] })
  await bob.settled()
})

/** The snippet of GATEKEEPER.md, compiled, with the address of a world. */
async function snippet(t, world) {
  const page = await readFile(join(import.meta.dirname, '../../proxy/GATEKEEPER.md'), 'utf8')
  const [, source] = /```ts\n(.*?)```/s.exec(page)
  assert.ok(source.includes('https://sync.example.com/'))
  const folder = await compile(t, {
    'snippet.ts': source.replace('https://sync.example.com', world.url),
    'auth.ts': `export const getToken = async (): Promise<string> => '${tokens.bob}'\n`,
  })
  return import(`${folder}/snippet.js`)
}

test('the snippet of the page goes on from token to token, and ends with the permission', async (t) => {
  const world = await newWorld(t, { tokenSeconds: 2 })
  const { fetch } = globalThis
  let asked = 0 // for a token
  globalThis.fetch = (url, init) => {
    if (String(url).includes('/v1/gatekeeper/')) asked++
    return fetch(url, init)
  }
  t.after(() => { globalThis.fetch = fetch })
  const { stream } = await snippet(t, world)
  const shape = new Shape(stream)
  t.after(() => stream.unsubscribeAll())
  const until = (check, what) => eventually((ask) => {
    const timer = setInterval(ask, 10)
    return () => clearInterval(timer)
  }, check, () => new Error(what))
  const holds = async (n) => {
    await world.change({ sql: insertDoc(n), touch: [inProject(n, 'borealis')] })
    await until(() => shape.currentRows.some((row) => row.id === doc(n)), `the document ${n} does not come`)
  }
  await holds(9)
  await until(() => asked > 1, 'the token does not end')
  await holds(10)
  await world.revoke('group:everybody#member@user:bob')
  await until(() => shape.error, 'the stream does not end')
  assert.equal(shape.error.status, 403)
})

forEach(everyKind, (kind) => {
  test('reads with tokens of the gatekeeper, one after the other', async (t) => {
    const world = await newWorld(t, { tokenSeconds: 2 })
    const ask = async () => (await world.gatekeeper('bob', 'documents')).json()
    const { url, headers, params } = await ask()
    const bob = world.open(kind, 'bob', 'documents', { url, streamParams: params, token: headers.Authorization.slice('Bearer '.length), renew: ask })
    await world.settled()
    for (const n of [9, 10]) {
      const times = bob.renewals.length
      await bob.when(() => bob.renewals.length > times, 'the end of the token')
      await world.change({ sql: insertDoc(n), touch: [inProject(n, 'borealis')] })
      await world.settled()
    }
    neverBeganAnew(bob)
  })

  test('a revoked relationship ends a token that has minutes to live', async (t) => {
    const world = await newWorld(t)
    const { url, headers, params } = await (await world.gatekeeper('alice', 'project_documents', { project: 'comet' })).json()
    const alice = world.open(kind, 'alice', 'project_documents', {
      url, params: { project: 'comet' }, streamParams: params, token: headers.Authorization.slice('Bearer '.length),
    })
    await world.settled()
    await world.change({ delete: ['project:comet#lead@user:alice'], sql: insertDoc(9, { project: 'comet' }) })
    assert.equal((await alice.failure()).status, 403)
    assert.ok(!alice.received.saw(doc(9)))
    assert.equal((await world.gatekeeper('alice', 'project_documents', { project: 'comet' })).status, 403)
  })
})
