// Shapes behind a gate: one check, and then the whole shape or none of it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forEach } from './lib/each.mjs'
import { everyKind } from './lib/readers.mjs'
import { doc, insertDoc, newWorld } from './lib/world.mjs'

forEach(everyKind, (kind) => {
  test('a person without the gate gets a 403 through onError, and no row', async (t) => {
    const world = await newWorld(t)
    const mallory = world.open(kind, 'mallory')
    assert.equal((await mallory.failure()).status, 403)
    assert.deepEqual(mallory.rows(), [])
  })

  test('who loses the gate while reading gets a 403, and nothing more', async (t) => {
    const world = await newWorld(t)
    const bob = world.open(kind, 'bob')
    await world.settled()
    await world.change({
      delete: ['group:everybody#member@user:bob'],
      sql: `UPDATE documents SET title = 'Not for bob' WHERE id = '${doc(4)}';`,
    })
    assert.equal((await bob.failure()).status, 403)
    assert.ok(!bob.received.saw('Not for bob'))
  })

  test('a container is read by those who may see it, and by no others', async (t) => {
    const world = await newWorld(t)
    const lead = world.open(kind, 'alice', 'project_documents', { params: { project: 'comet' } })
    const viewer = world.open(kind, 'bob', 'project_documents', { params: { project: 'borealis' } })
    await world.settled(lead)
    assert.deepEqual(lead.ids(), [7, 8].map(doc))
    assert.equal((await viewer.failure()).status, 403)
  })

  test('rows come into a container and leave it', async (t) => {
    const world = await newWorld(t)
    const alice = world.open(kind, 'alice', 'project_documents', { params: { project: 'comet' } })
    await world.settled()
    await world.sql(insertDoc(9, { project: 'comet' }), insertDoc(10, { project: 'atlas' }))
    await world.settled()
    await world.sql(
      `UPDATE documents SET project_id = 'comet' WHERE id = '${doc(1)}';`,
      `UPDATE documents SET project_id = 'atlas' WHERE id = '${doc(7)}';`)
    await world.settled()
    assert.deepEqual(alice.ids(), [1, 8, 9].map(doc))
  })

  test('who may not see a container any more gets a 403', async (t) => {
    const world = await newWorld(t)
    const alice = world.open(kind, 'alice', 'project_documents', { params: { project: 'comet' } })
    await world.settled()
    await world.change({ delete: ['project:comet#lead@user:alice'], sql: insertDoc(9, { project: 'comet' }) })
    assert.equal((await alice.failure()).status, 403)
    assert.ok(!alice.received.saw(doc(9)))
  })

  test('the unrestricted see every row, those that no relationship knows included', async (t) => {
    const world = await newWorld(t)
    const carol = world.open(kind, 'carol')
    await world.settled()
    assert.deepEqual(carol.ids(), [1, 2, 4, 5, 6, 7, 8].map(doc))
    await world.sql(insertDoc(9), `DELETE FROM documents WHERE id = '${doc(1)}';`)
    await world.settled()
    assert.deepEqual(carol.ids(), [2, 4, 5, 6, 7, 8, 9].map(doc))
  })

  test('who is unrestricted no more keeps what is theirs, and gets the rest back with it', async (t) => {
    const world = await newWorld(t)
    await world.grant('workspace:main#member@user:carol', `document:${doc(2)}#viewer@user:carol`)
    const carol = world.open(kind, 'carol')
    await world.settled()
    await world.change({
      delete: ['workspace:main#administrator@user:carol'],
      sql: `UPDATE documents SET title = 'Not for carol' WHERE id = '${doc(1)}';`,
    })
    await world.settled()
    assert.deepEqual(carol.ids(), [doc(2)])
    assert.ok(!carol.received.saw('Not for carol'))
    await world.grant('workspace:main#administrator@user:carol')
    await world.settled()
    assert.deepEqual(carol.ids(), [1, 2, 4, 5, 6, 7, 8].map(doc))
  })
})
