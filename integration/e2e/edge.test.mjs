// The real clients behind the edge handler, in front of shapegate: what it lets through is the
// same as without it, and so is what ends.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { createHandler, serve } from './lib/edge.mjs'
import { everyKind, neverBeganAnew } from './lib/readers.mjs'
import { doc, inProject, insertDoc, newWorld, tokens } from './lib/world.mjs'

/** An edge in front of a world, and how a person gets what a stream takes. */
async function newEdge(t, options) {
  const world = await newWorld(t, options)
  const url = `${await serve(t, createHandler({ upstream: world.url }))}/v1/shape`
  const offer = async (person, shape, params) => ({ ...(await (await world.gatekeeper(person, shape, params)).json()), url })
  /** Opens a reader that has nothing but a token for its shape. */
  const open = async (kind, person, shape, { params = {}, columns, ...rest } = {}) => {
    const config = await offer(person, shape, { ...params, ...(columns && { columns }) })
    return world.open(kind, person, shape, {
      url, params, streamParams: config.params, token: config.headers.Authorization.slice('Bearer '.length), ...rest,
    })
  }
  return { world, url, offer, open }
}

forEach(everyKind, (kind) => {
  test('reads a shape through the edge, grants and revocations included', async (t) => {
    const { world, open } = await newEdge(t)
    const bob = await open(kind, 'bob', 'documents')
    const alice = await open(kind, 'alice', 'project_documents', { params: { project: 'comet' } })
    await world.settled()
    await world.change({ sql: insertDoc(9, { project: 'comet' }), touch: [inProject(9, 'comet'), `document:${doc(1)}#viewer@user:bob`] })
    await world.settled()
    await world.revoke(`document:${doc(1)}#viewer@user:bob`)
    await world.settled()
    neverBeganAnew(bob, alice)
  })

  test('goes on from token to token', async (t) => {
    const { world, offer, open } = await newEdge(t, { tokenSeconds: 2 })
    const bob = await open(kind, 'bob', 'documents', { renew: () => offer('bob', 'documents') })
    await world.settled()
    await bob.when(() => bob.renewals.length > 0, 'the end of the token')
    await world.change({ sql: insertDoc(9), touch: [inProject(9, 'borealis')] })
    await world.settled()
    neverBeganAnew(bob)
  })

  test('a lost gate ends a token that the edge still takes', async (t) => {
    const { world, open } = await newEdge(t)
    const bob = await open(kind, 'bob', 'documents')
    await world.settled()
    await world.change({
      delete: ['group:everybody#member@user:bob'],
      sql: `UPDATE documents SET title = 'Not for bob' WHERE id = '${doc(4)}';`,
    })
    assert.equal((await bob.failure()).status, 403)
    assert.ok(!bob.received.saw('Not for bob'))
  })
})

test('columns and a where go through the edge as shapegate spells them', async (t) => {
  const { offer } = await newEdge(t)
  const { url, headers, params } = await offer('alice', 'documents', {
    columns: 'title,id', where: "title = 'Atlas charter' OR title = 'nothing'",
  })
  const query = new URLSearchParams({ offset: '-1', table: params.table, columns: params.columns.join(','), where: params.where })
  const response = await fetch(`${url}?${query}`, { headers })
  const rows = (await response.json()).filter((message) => message.key).map((message) => message.value)
  assert.deepEqual(rows, [{ id: doc(1), title: 'Atlas charter' }])
})

test("nothing but a token for a shape gets past the edge, a person's own credentials neither", async (t) => {
  const { url } = await newEdge(t)
  const response = await fetch(`${url}?table=documents&offset=-1`, { headers: { Authorization: `Bearer ${tokens.bob}` } })
  assert.equal(response.status, 401)
})
