// Caddy in front, which asks the proxy and has Electric itself answer: a shape behind a gate.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { eventually } from './lib/wait.mjs'
import { doc, insertDoc, newWorld } from './lib/world.mjs'

const caddy = { front: 'caddy' }
const comet = { params: { project: 'comet' } }

// Both read the log with long-polls.
forEach(['Shape, long-poll', 'TanStack DB, eager'], (kind) => {
  test('a person who may see a container has it and follows it, and no other has anything', async (t) => {
    const world = await newWorld(t, caddy)
    const alice = world.open(kind, 'alice', 'project_documents', comet)
    const bob = world.open(kind, 'bob', 'project_documents', comet)
    assert.equal((await bob.failure()).status, 403)
    await world.settled(alice)
    assert.deepEqual(alice.ids(), [7, 8].map(doc))
    await world.sql(insertDoc(9, { project: 'comet' }), `DELETE FROM documents WHERE id = '${doc(7)}';`)
    await world.settled(alice)
    assert.deepEqual(alice.ids(), [8, 9].map(doc))
    assert.deepEqual(bob.rows(), [])
  })

  test('who loses the container while reading gets a 403 with the next request', async (t) => {
    const world = await newWorld(t, caddy)
    const alice = world.open(kind, 'alice', 'project_documents', comet)
    await world.settled(alice)
    await world.revoke('project:comet#lead@user:alice')
    assert.equal((await alice.failure()).status, 403)
    await world.sql(insertDoc(9, { project: 'comet' }))
    assert.ok(!alice.received.saw(doc(9)))
  })
})

forEach(['Shape, server-sent events', 'TanStack DB, on-demand'], (kind) => {
  test('what only the proxy can answer is refused, and says so', async (t) => {
    const world = await newWorld(t, caddy)
    const alice = world.open(kind, 'alice', 'project_documents', comet)
    const refused = await eventually(
      (callback) => { alice.on('change', callback); return () => alice.off('change', callback) },
      () => alice.received.answers.find(({ status }) => status === 403),
      () => new Error('nothing was refused'))
    const { error, message } = JSON.parse(refused.text)
    assert.equal(error, 'needs_proxy')
    assert.match(message, /through shapegate/)
  })
})

test('another shape is read through the proxy at the same address', async (t) => {
  const world = await newWorld(t, caddy)
  const alice = world.open('TanStack DB, on-demand', 'alice')
  await world.settled(alice)
  assert.ok(alice.ids().length > 0)
})
